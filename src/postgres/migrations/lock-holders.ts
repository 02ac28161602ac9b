import pg from 'pg'

/** A session that holds a lock for which another one waits. */
export interface Blocker { pid: number, name: string, login: string, since: string, query: string }

/** Observes who blocks a session while it works: after its wait has ended, the database no longer knows. */
export interface Watch {
  /** The blockers that were seen last. */
  seen: () => readonly Blocker[]
  close: () => Promise<void>
}

/** Rare enough to cost nothing, frequent enough to see a wait of two seconds. */
const POLL_MS = 200

/**
 * Watches on a connection of its own.
 * @param pid of the session that waits
 * @param observed is called with the blockers when there are new ones
 */
export async function watchBlockers (connectionString: string, pid: number, observed: (blockers: readonly Blocker[]) => void): Promise<Watch> {
  const client = new pg.Client({ connectionString, application_name: 'loyalty-ledger migrate (watch)', connectionTimeoutMillis: 5000 })
  // A watch that fails, or gets no connection, must not end the work.
  client.on('error', () => {})
  try {
    await client.connect()
  } catch {
    return { seen: () => [], close: async () => {} }
  }
  let blockers: readonly Blocker[] = []
  let polling: Promise<void> | undefined

  async function poll (): Promise<void> {
    const found = await readBlockers(client, pid).catch(() => [])
    if (found.length === 0) return
    const known = new Set(blockers.map(blocker => blocker.pid))
    blockers = found
    if (found.some(blocker => !known.has(blocker.pid))) observed(found)
  }

  const timer = setInterval(() => {
    polling ??= poll().finally(() => { polling = undefined })
  }, POLL_MS)
  return {
    seen: () => blockers,
    async close () {
      clearInterval(timer)
      await polling
      await client.end().catch(() => {})
    }
  }
}

/** Describes a session so that a person can find it and decide whether it may be ended. */
export function describeBlocker ({ pid, name, login, since, query }: Blocker): string {
  return `session ${pid} (${name === '' ? 'without a name' : name}, as ${login}) with a transaction open since ${since}: ${query}`
}

async function readBlockers (client: pg.Client, pid: number): Promise<Blocker[]> {
  const { rows } = await client.query<Blocker>(`
    select a.pid, a.application_name as name, coalesce(a.usename, '?') as login,
           coalesce(to_char(a.xact_start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'an unknown time') as since,
           left(regexp_replace(a.query, '\\s+', ' ', 'g'), 100) as query
    from unnest(pg_blocking_pids($1)) as b (pid)
    join pg_stat_activity a on a.pid = b.pid
    order by a.xact_start`, [pid])
  return rows
}
