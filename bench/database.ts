import pg from 'pg'

/** A connection to a database for as long as an action takes. */
export async function withClient<T> (url: string, action: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, application_name: 'bench' })
  await client.connect()
  try {
    return await action(client)
  } finally {
    await client.end()
  }
}
