import { createHash } from 'node:crypto'
import type { Db } from '../../postgres/database.ts'
import { readSpans } from '../../log/read.sql.ts'
import { readHeads } from '../../log/shards.sql.ts'
import { eventLine, headerLine, trailerLine } from './format.ts'

/** The most that one piece of the text holds. A piece is in memory twice, as read and as written. */
const PIECE_EVENTS = 256
const PIECE_BYTES = 1_000_000

/** What an export will contain: every shard up to the head that it had when the log was measured. */
export interface Extent { heads: ReadonlyArray<{ shard: number, head: bigint }>, events: number }

export async function measureLog (db: Db): Promise<Extent> {
  const heads = await readHeads(db)
  return { heads, events: Number(heads.reduce((sum, { head }) => sum + head, 0n)) }
}

/**
 * Writes the log as text, shard by shard in order of position, up to the heads of `extent`. Positions become visible in
 * order and stored events stay. So the text is the log as it was when it was measured, although appends continue and no
 * transaction is held open. Memory does not grow with the log.
 * @throws LogIncomplete if the log has a hole
 */
export async function * exportLog (db: Db, { heads, events }: Extent, exported_at: string): AsyncGenerator<{ text: string, events: number }> {
  const hash = createHash('sha256')
  const hashed = (text: string): string => {
    hash.update(text)
    return text
  }
  yield { text: hashed(headerLine({ shards: heads.length, events, exported_at })), events: 0 }
  for (const { shard, head } of heads) {
    for (let after = 0n; after < head;) {
      const left = head - after
      const [rows = []] = await readSpans(db, [{ shard, after, count: left < PIECE_EVENTS ? Number(left) : PIECE_EVENTS }], { limit_bytes: PIECE_BYTES })
      const hole = rows.findIndex(({ position }, index) => position !== after + BigInt(index + 1))
      if (rows.length === 0 || hole !== -1) throw new LogIncomplete(`event ${shard}:${after + BigInt(Math.max(hole, 0) + 1)} is missing from the log although the shard's head is ${head}. Restore the database from a backup; an export without it would hide that.`)
      yield { text: hashed(rows.map(row => eventLine({ shard, ...row })).join('')), events: rows.length }
      after += BigInt(rows.length)
    }
  }
  yield { text: trailerLine({ events, sha256: hash.digest('hex') }), events: 0 }
}

/** The log has a hole: damage that an export must not hide. */
export class LogIncomplete extends Error {
  override name = 'LogIncomplete'
  readonly code = 'log_gap'
}
