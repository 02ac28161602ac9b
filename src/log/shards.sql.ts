import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import type { Db } from '../postgres/database.ts'

/**
 * The shard of a key, usually a customer id: the first four bytes of its sha256, big-endian, modulo the number of
 * shards. Computed here and never in SQL, so that it does not change with a database version.
 */
export function shardOf (key: string, shards: number): number {
  return createHash('sha256').update(key).digest().readUInt32BE(0) % shards
}

/** How many shards the log has; 0 before `createShards`. */
export async function countShards (db: Db): Promise<number> {
  const { count } = await db.selectFrom('ledger.shards').select(({ fn }) => fn.countAll<bigint>().as('count')).executeTakeFirstOrThrow()
  return Number(count)
}

/**
 * Fixes the number of shards, once: a log that has some keeps them.
 * @returns how many there are
 */
export async function createShards (db: Db, shards: number): Promise<number> {
  await sql`
    insert into ledger.shards (shard)
    select generate_series(0, ${shards}::integer - 1)
    where not exists (select from ledger.shards)
    on conflict do nothing`.execute(db)
  return await countShards(db)
}

/** How far each shard's log goes. */
export async function readHeads (db: Db): Promise<Array<{ shard: number, head: bigint }>> {
  return await db.selectFrom('ledger.shards').select(['shard', 'head']).orderBy('shard').execute()
}
