/** The kind of a difference, as a stable code. */
export type FindingCode =
  /** Positions are missing between others: one finding for each run of missing positions. */
  | 'GAP'
  /** The newest positions are missing, although the head or an anchor names them. */
  | 'TRUNCATED'
  /** A chain value does not follow from the previous chain value and the row. */
  | 'CHAIN_MISMATCH'
  /** The head of a shard does not match its rows. */
  | 'HEAD_MISMATCH'
  /** The chain differs from the one that an anchor signed. */
  | 'REWRITTEN'
  /** A body is not the one that was received. */
  | 'DIGEST_MISMATCH'
  /** The size of a body differs from body_bytes. */
  | 'SIZE_MISMATCH'
  /** The columns of an event contradict its body. */
  | 'IDENTITY_MISMATCH'
  /** A row is marked as erased, but no erasure event lists its present body as the redacted one. */
  | 'ERASURE_UNVOUCHED'
  /** A unique index on positions or keys is missing in the database. */
  | 'UNGUARDED'
  /** Rows of a projection differ from what the events fold to. */
  | 'PROJECTION_MISMATCH'
  /** A card or order is parked because an event could not be folded: its rows lack events. */
  | 'PROJECTION_PARKED'
  /** Another version of the rules folded the rows, so this version cannot say what they should be. */
  | 'PROJECTION_OUTDATED'
  /** A checkpoint of a projection is beyond the end of the log. */
  | 'CHECKPOINT_AHEAD'
  /** The log itself is too damaged to fold. */
  | 'PROJECTION_UNCOMPARED'

/**
 * One difference between the stored state and the correct one. Shard, position and key are null where they do not
 * apply. For a row of a projection, `subject` names what the row is about, for example `card:v_…`.
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

/** Called for each difference as it is found. There is no upper bound on their number. */
export type ReportFinding = (finding: Finding) => void

/** `shard:position`, only the shard, or empty: whatever is known. */
export function placeOf ({ shard, position }: Pick<Finding, 'shard' | 'position'>): string {
  if (shard === null) return ''
  return position === null ? String(shard) : `${shard}:${position}`
}

/** `position 3`, `positions 3 to 5`. */
export function positions (from: bigint, to: bigint): string {
  return from === to ? `position ${from}` : `positions ${from} to ${to}`
}
