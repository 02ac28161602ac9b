import pg from 'pg'
import { withCode } from './driver-errors.ts'
import { establishSession, startupOptions, type Session } from './session.ts'

export interface ConnectionOptions extends pg.ClientConfig {
  session: Session
}

type Connected = (error: Error | null) => void

/**
 * A client of the driver whose connections have the settings of a session, whatever DATABASE_URL says: the options of
 * the URL (or of PGOPTIONS) go first and ours after them, and the last one wins. Its errors carry codes.
 */
class LedgerClient extends pg.Client {
  readonly #session: Session

  constructor (options: ConnectionOptions) {
    super(options)
    this.#session = options.session
    // A connection can break while no query is under way; unheard, that would end the process. The next query fails and
    // says why.
    this.on('error', () => {})
    // The driver takes the URL's options instead of those it is given, so they are joined after it has read both.
    const { connectionParameters } = this as unknown as { connectionParameters: { options?: string } }
    connectionParameters.options = [connectionParameters.options ?? '', startupOptions(this.#session)].join(' ').trim()
  }

  /** Connects, and checks the session. @throws SessionRefused */
  override connect (): Promise<pg.Client>
  override connect (callback: Connected | ((error: null, client: pg.Client) => void)): void
  override connect (callback?: unknown): Promise<pg.Client> | undefined {
    const connected = this.#connect()
    if (callback === undefined) return connected
    connected.then(() => { (callback as Connected)(null) }, callback as (error: unknown) => void)
    return undefined
  }

  async #connect (): Promise<this> {
    try {
      await super.connect()
      await establishSession(this, this.#session)
      return this
    } catch (error) {
      // The pool forgets a client that did not connect, without ending it.
      super.end().catch(() => { /* it never began, or is gone already */ })
      throw withCode(error)
    }
  }

  // The overloads of the driver are its own affair: whatever comes back, a failure gets its code.
  override query (...parameters: unknown[]): never {
    const query = super.query.bind(this) as unknown as (...parameters: unknown[]) => unknown
    const callback = parameters.at(-1)
    if (typeof callback === 'function') {
      return query(...parameters.slice(0, -1), (error: unknown, result: unknown) => { (callback as (error: unknown, result: unknown) => void)(withCode(error), result) }) as never
    }
    const answer = query(...parameters)
    return (answer instanceof Promise ? answer.catch((error: unknown) => { throw withCode(error) }) : answer) as never
  }
}

/** A connection of its own, not yet connected. */
export function createClient (options: ConnectionOptions): pg.Client {
  return new LedgerClient(options)
}

/** A pool of such connections. */
export function createPool (options: ConnectionOptions & pg.PoolConfig): pg.Pool {
  return new LedgerPool({ ...options, Client: LedgerClient as unknown as new () => pg.ClientBase })
}

type CheckedOut = (error: Error | undefined, client: pg.PoolClient | undefined, done: (release?: unknown) => void) => void

class LedgerPool extends pg.Pool {
  override connect (): Promise<pg.PoolClient>
  override connect (callback: CheckedOut): void
  override connect (callback?: CheckedOut): Promise<pg.PoolClient> | undefined {
    if (callback === undefined) return super.connect().catch((error: unknown) => { throw withCode(error) })
    super.connect((error, client, done) => { callback(withCode(error), client, done) })
    return undefined
  }
}
