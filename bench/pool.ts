import pg from 'pg'

/** A look into a database for as long as an action takes: one connection, so that what is measured keeps the rest. */
export async function withPool<T> (url: string, action: (pool: pg.Pool) => Promise<T>): Promise<T> {
  const pool = new pg.Pool({ connectionString: url, max: 1 })
  try {
    return await action(pool)
  } finally {
    await pool.end()
  }
}
