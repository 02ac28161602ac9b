import type { PostgresPool, PostgresPoolClient } from 'kysely'
import type pg from 'pg'
import { isStale } from './errors.ts'

/** The beginning of a statement that `prepared` made. */
export const MARK = '/* prepared */'

/** Which statements a pool prepares: those that `prepared` made, or every one that reads or writes rows. */
export type Prepares = 'marked' | 'all'

/**
 * Limit of names of a pool: a statement whose text differs from call to call must not fill the memory of its
 * connections.
 */
const NAMES_MAX = 200
const OF_ROWS = /^\s*(select|insert|update|delete|with)\b/i

/**
 * A pool for the query builder that gives names to statements, since the builder gives none. A connection with a stale
 * statement is closed when it is released: it would refuse that statement for ever.
 */
export function withNamedStatements (pool: pg.Pool, prepares: Prepares = 'marked'): PostgresPool {
  const names = new Map<string, string>()
  const wrapped = new WeakMap<pg.PoolClient, PostgresPoolClient>()

  function nameOf (text: string): string | undefined {
    if (!text.startsWith(MARK) && !(prepares === 'all' && OF_ROWS.test(text))) return undefined
    const known = names.get(text)
    if (known !== undefined || names.size === NAMES_MAX) return known
    const name = `ledger_${names.size + 1}`
    names.set(text, name)
    return name
  }

  function wrap (client: pg.PoolClient): PostgresPoolClient {
    let stale = false
    const query = async (text: string, values: unknown[]): Promise<unknown> => {
      const name = nameOf(text)
      if (name === undefined) return await client.query(text, values)
      try {
        return await client.query({ name, text, values })
      } catch (error) {
        stale ||= isStale(error)
        throw error
      }
    }
    return {
      // Cursors, which come as one argument, are not used here.
      query: query as PostgresPoolClient['query'],
      release () { client.release(stale) }
    }
  }

  return {
    async connect () {
      const client = await pool.connect()
      const known = wrapped.get(client)
      if (known !== undefined) return known
      const fresh = wrap(client)
      wrapped.set(client, fresh)
      return fresh
    },
    end: async () => { await pool.end() }
  }
}
