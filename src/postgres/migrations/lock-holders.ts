import pg from 'pg'

/** A session that holds what another one waits for. */
export interface Blocker { pid: number, name: string, login: string, since: string, query: string }

/** Looks who blocks a session, for as long as it works: once its wait has ended, nobody can say any more. */
export interface Watch {
  /** Those that were seen last. */
  seen: () => readonly Blocker[]
  close: () => Promise<void>
}

/** So far apart that it costs nothing, so close that a wait of two seconds is seen. */
const LOOK_MS = 200

/**
 * Watches over a connection of its own.
 * @param pid of the session that waits
 * @param told of blockers when others are seen than before
 */
export async function watchBlockers (connectionString: string, pid: number, observed: (blockers: readonly Blocker[]) => void): Promise<Watch> {
  const client = new pg.Client({ connectionString, application_name: 'loyalty-ledger migrate (watch)', connectionTimeoutMillis: 5000 })
  // A watch that ends, or that there is no connection left for, is no reason to end the work.
  client.on('error', () => {})
  try {
    await client.connect()
  } catch {
    return { seen: () => [], close: async () => {} }
  }
  let blockers: readonly Blocker[] = []
  let looking: Promise<void> | undefined

  async function look (): Promise<void> {
    const found = await readBlockers(client, pid).catch(() => [])
    if (found.length === 0) return
    const known = new Set(blockers.map(blocker => blocker.pid))
    blockers = found
    if (found.some(blocker => !known.has(blocker.pid))) observed(found)
  }

  const timer = setInterval(() => {
    looking ??= look().finally(() => { looking = undefined })
  }, LOOK_MS)
  return {
    seen: () => blockers,
    async close () {
      clearInterval(timer)
      await looking
      await client.end().catch(() => {})
    }
  }
}

/** What a person needs to find a session, and to judge whether it may be ended. */
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
