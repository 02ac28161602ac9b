import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { EmbeddedPostgresError } from './errors.ts'
import { findPostmaster, type Postmaster } from './postmaster.ts'

const ready_limit_ms = 600_000
const linger_ms = 1_000
/** Codes of temporary errors: the server is starting or stopping, has no free slot, or does not listen (yet). */
const temporary = new Set(['57P01', '57P02', '57P03', '53300', 'ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EPIPE'])

/**
 * Each process that opened the cluster keeps one idle connection with this name. It shows the others that the process
 * uses the cluster, from the moment openCluster returns until the process releases it or dies.
 */
const presenceName = 'loyalty-ledger presence'

/**
 * Connects as soon as the server accepts connections. Recovery after a crash can take long; the log then says so.
 * @returns undefined if the server stopped instead
 */
export async function connectWhenReady (data: string, server: Postmaster, urlOn: (port: number) => string, log: (line: string) => void): Promise<pg.Client | undefined> {
  const deadline = Date.now() + ready_limit_ms
  let nextLine = Date.now() + 5_000
  while (Date.now() < deadline) {
    const running = await findPostmaster(data)
    if (running?.pid !== server.pid) return undefined
    if (running.ready && running.port !== undefined) {
      const client = await connect(urlOn(running.port), presenceName, data)
      if (client !== undefined) return client
    }
    if (Date.now() > nextLine) {
      log('waiting for PostgreSQL to recover …')
      nextLine = Date.now() + 10_000
    }
    await sleep(20)
  }
  throw new EmbeddedPostgresError('start_failed', `PostgreSQL on ${data} (process ${server.pid}) runs, but has not accepted a connection for ${ready_limit_ms / 60_000} minutes. Check postgres.log, or stop it (kill -INT ${server.pid}) and start again.`)
}

/**
 * Counts the connections of other processes of this program. A server that accepts no connection has none. The running
 * server is looked up again, since ours may have died and another process may have started a new one.
 * @param released the backend of our own presence connection, which has ended
 */
export async function countOthers (data: string, released: number | undefined, urlOn: (port: number) => string): Promise<number> {
  const port = (await findPostmaster(data))?.port
  const client = port === undefined ? undefined : await connect(urlOn(port), 'embedded cluster check', data)
  if (client === undefined) return 0
  try {
    const deadline = Date.now() + linger_ms
    for (;;) {
      const { rows } = await client.query<{ others: number, present: number }>({
        text: `
          select count(*)::int as others, (count(*) filter (where application_name = $2))::int as present
          from pg_stat_activity
          where backend_type = 'client backend' and application_name like 'loyalty-ledger%' and pid is distinct from $1`,
        values: [released, presenceName]
      })
      const { others, present } = rows[0] ?? { others: 0, present: 0 }
      // A backend outlives its closed connection by some milliseconds, so those of our own pool may still be listed.
      if (others === 0 || present > 0 || Date.now() > deadline) return others
      await sleep(50)
    }
  } finally {
    await client.end()
  }
}

/** Members of pg's client that its types lack. */
type Presence = { processID: number | null, ref (): void, unref (): void }

/** Keeps the connection without keeping the process alive. */
export function stay (presence: pg.Client): void {
  (presence as unknown as Presence).unref()
}

/** Ends our presence. @returns the process id of its backend, which may be listed a little longer */
export async function leave (presence: pg.Client): Promise<number | undefined> {
  const { processID } = presence as unknown as Presence
  ;(presence as unknown as Presence).ref()
  await presence.end().catch(() => {})
  return processID ?? undefined
}

/** Connects. @returns undefined while the server does not accept connections, yet or any more */
async function connect (url: string, application_name: string, data: string): Promise<pg.Client | undefined> {
  const client = new pg.Client({ connectionString: url, application_name, connectionTimeoutMillis: 5_000 })
  // When the server is stopped or killed, the error of an idle connection must not end this process.
  client.on('error', () => {})
  try {
    await client.connect()
    return client
  } catch (error) {
    await client.end().catch(() => {})
    const { code, message } = error as { code?: string, message: string }
    // Without a code: the connection timed out, or ended while connecting.
    if (code === undefined || temporary.has(code)) return undefined
    if (code === '28P01') {
      throw new EmbeddedPostgresError('password_refused', `PostgreSQL on ${data} refuses the password in postgres.password. Restore the right password in that file.`, { cause: error })
    }
    throw new EmbeddedPostgresError('start_failed', `PostgreSQL on ${data} runs, but refuses the connection: ${message}.`, { cause: error })
  }
}
