/** What is wrong, as a stable code. */
export type FindingCode =
  /** Positions are missing between others: one finding a run. */
  | 'GAP'
  /** The newest positions are missing that the head, or an anchor, says there are. */
  | 'TRUNCATED'
  /** A chain value does not follow from the one before and the row. */
  | 'CHAIN_MISMATCH'
  /** The head of a shard does not fit its rows. */
  | 'HEAD_MISMATCH'
  /** The chain is another one than an anchor signed. */
  | 'REWRITTEN'
  /** A body is not the one that was received. */
  | 'DIGEST_MISMATCH'
  /** A body has another size than is noted. */
  | 'SIZE_MISMATCH'
  /** Columns say something else about an event than its body. */
  | 'IDENTITY_MISMATCH'
  /** A body counts as erased, and no erasure event says that this is what it was redacted to. */
  | 'ERASURE_UNVOUCHED'
  /** What keeps positions and keys unique is gone from the database. */
  | 'UNGUARDED'
  /** Rows of a projection are not the fold of the events. */
  | 'PROJECTION_MISMATCH'
  /** A card or order stands still since an event could not be folded: its rows lack events. */
  | 'PROJECTION_PARKED'
  /** Rows folded by another version of the rules than this one, which therefore cannot say what they should be. */
  | 'PROJECTION_UNBUILT'
  /** A checkpoint of a projection stands behind the end of the log. */
  | 'CHECKPOINT_AHEAD'
  /** The log itself is too damaged to fold. */
  | 'PROJECTION_UNCOMPARED'

/**
 * One difference between what is stored and what must be. Shard, position and key are null where it is about none; of a
 * projection's row the subject says what it is about, `card:v_…`.
 */
export interface Finding {
  code: FindingCode
  shard: number | null
  position: bigint | null
  event_id: string | null
  subject: string | null
  /** A sentence for people. */
  detail: string
}

/** Told of each difference when it is found; there can be any number. */
export type Found = (finding: Finding) => void

/** `shard:position`, as far as known. */
export function placeOf ({ shard, position }: Pick<Finding, 'shard' | 'position'>): string {
  if (shard === null) return ''
  return position === null ? String(shard) : `${shard}:${position}`
}

/** `position 3`, `positions 3 to 5`. */
export function positions (from: bigint, to: bigint): string {
  return from === to ? `position ${from}` : `positions ${from} to ${to}`
}
