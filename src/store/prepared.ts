import { sql, type PostgresPool, type PostgresPoolClient, type RawBuilder } from 'kysely'
import type pg from 'pg'

/** With what a statement begins that is to be prepared. */
export const PREPARED_MARK = '/* prepared */'

/**
 * Begins a statement that is asked all the time: a connection parses and plans it once. Only where the text is the same every
 * time, and the columns of the answer are named: of `select *` a migration would make another type, which a prepared statement
 * may not have.
 * ```ts
 * sql`${PREPARED} select … from … where … = ${id}`
 * ```
 */
export const PREPARED: RawBuilder<unknown> = sql.raw(PREPARED_MARK)

/** A pool for the query builder, which itself names no statement: those that begin with PREPARED get one. */
export function preparing (pool: pg.Pool): PostgresPool {
  const names = new Map<string, string>()
  const wrapped = new WeakMap<pg.PoolClient, PostgresPoolClient>()

  function nameOf (text: string): string {
    const known = names.get(text)
    if (known !== undefined) return known
    const name = `ledger_${names.size + 1}`
    names.set(text, name)
    return name
  }

  function wrap (client: pg.PoolClient): PostgresPoolClient {
    const query = (text: unknown, values?: unknown[]): unknown => typeof text === 'string' && text.startsWith(PREPARED_MARK)
      ? client.query({ name: nameOf(text), text, ...(values === undefined ? {} : { values }) })
      : client.query(text as string, values)
    return { query: query as PostgresPoolClient['query'], release: () => { client.release() } }
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
