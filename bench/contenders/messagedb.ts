import { readFile } from 'node:fs/promises'
import pg from 'pg'
import { program, type Contender } from './contender.ts'
import { countBodies } from './count.ts'

const FOLDER = new URL('../node_modules/@eventide/message-db/database/', import.meta.url)

/** The package is these files; its `install.sh` runs them in this order. */
const FILES = [
  'roles/message-store', 'schema/message-store', 'extensions/pgcrypto', 'tables/messages', 'types/message',
  ...['message-store-version', 'hash-64', 'acquire-lock', 'category', 'is-category', 'id', 'cardinal-id', 'stream-version', 'write-message',
    'get-stream-messages', 'get-category-messages', 'get-last-stream-message'].map(name => `functions/${name}`),
  'indexes/messages-id', 'indexes/messages-stream', 'indexes/messages-category',
  ...['stream-summary', 'type-summary', 'stream-type-summary', 'type-stream-summary', 'category-type-summary', 'type-category-summary'].map(name => `views/${name}`),
  ...['schema', 'table', 'sequence', 'functions', 'views'].map(name => `privileges/${name}`)
]

/** The message store of Eventide, which is functions in SQL: one `write_message` a delivery. */
export const messageDb: Contender = {
  name: 'message-db write_message',
  command: program('messagedb.program.ts'),
  async prepare (url) {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    // Its functions call each other without the schema.
    await client.query('set search_path = message_store, public')
    for (const file of FILES) await client.query(await readFile(new URL(`${file}.sql`, FOLDER), 'utf8'))
    await client.end()
  },
  async count (pool) { return await countBodies(pool, 'message_store.messages', 'data') }
}
