import { createHash } from 'node:crypto'

/** The chain value before the first position. */
export const CHAIN_START: Buffer = Buffer.alloc(32)

/** The fields of an event that its chain value covers. */
export interface Link {
  shard: number
  position: bigint
  event_id: string
  subject: string
  body_digest: Buffer
}

/**
 * The chain value after an event: sha256(before ‖ link). The link is the sequence of fields, each preceded by its
 * length as int4; integers are big-endian (docs/architecture.md, The chain). It is computed here and not by the
 * database's function, because that function is audited too.
 */
export function chainAfter (before: Buffer, { shard, position, event_id, subject, body_digest }: Link): Buffer {
  const numbers = Buffer.allocUnsafe(18)
  numbers.writeInt32BE(2, 0)
  numbers.writeInt16BE(shard, 4)
  numbers.writeInt32BE(8, 6)
  numbers.writeBigInt64BE(position, 10)
  const fields = [Buffer.from(event_id), Buffer.from(subject), body_digest].flatMap(field => [int4(field.length), field])
  return createHash('sha256').update(Buffer.concat([before, numbers, ...fields])).digest()
}

function int4 (value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeInt32BE(value)
  return bytes
}
