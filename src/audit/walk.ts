import type { LogEnd } from './log.sql.ts'
import { CHAIN_START, chainAfter, type Link } from './chain.ts'
import { positions, type ReportFinding } from './finding.ts'

/** A shard as an anchor signed it. */
export interface SignedHead { head: bigint, chain: Buffer, made_at: string }

/**
 * Checks the rows of a shard as a sequence. Call `next` for each row in order, then `end`. It keeps only the previous
 * row.
 */
export interface ShardWalk {
  next: (row: Link & { chain: Buffer }) => void
  end: () => void
}

/**
 * Starts the walk of a shard.
 * @param end the end of the shard when the walk began; rows after it must not be passed
 */
export function walkShard (end: LogEnd, signed: SignedHead | undefined, found: ReportFinding): ShardWalk {
  const { shard } = end
  const head = end.head ?? 0n
  let last = 0n
  // The chain continues from the stored value, not from the recomputed one. So a changed row is one finding, and the
  // rows after it are none.
  let before: Buffer | undefined = CHAIN_START
  const about = (position: bigint | null) => ({ shard, position, event_id: null, subject: null })

  if (end.head === null) found({ code: 'HEAD_MISMATCH', ...about(null), detail: 'ledger.shards has no row for the shard' })
  else if (head === 0n && end.chain?.equals(CHAIN_START) === false) found({ code: 'HEAD_MISMATCH', ...about(0n), detail: 'the head says that the shard is empty, but its chain value is not that of an empty shard' })

  function next (row: Link & { chain: Buffer }): void {
    const { position, event_id, subject } = row
    const at = { shard, position, event_id, subject }
    if (position < 1n) {
      found({ code: 'HEAD_MISMATCH', ...at, detail: 'the position is below 1, where the log begins' })
      return
    }
    if (position > last + 1n) {
      found({ code: 'GAP', ...about(last + 1n), detail: `${missing(last + 1n, position - 1n)}; the chain cannot be checked across the gap` })
      before = undefined
    }
    if (before !== undefined && !chainAfter(before, row).equals(row.chain)) {
      found({ code: 'CHAIN_MISMATCH', ...at, detail: 'the chain value does not follow from the previous one and this row: one of the two rows was changed or moved' })
    }
    if (position === head && end.chain?.equals(row.chain) === false) {
      found({ code: 'HEAD_MISMATCH', ...at, detail: 'the chain value in ledger.shards differs from that of the row at the head' })
    }
    if (position === signed?.head && !signed.chain.equals(row.chain)) {
      found({ code: 'REWRITTEN', ...at, detail: `the anchor of ${signed.made_at} signed another chain value here: the log up to here was rewritten since then, or it is another log` })
    }
    last = position
    before = row.chain
  }

  function missing (from: bigint, to: bigint): string {
    return `${positions(from, to)} ${from === to ? 'is' : 'are'} missing`
  }

  return {
    next,
    end () {
      const signedHead = signed?.head ?? 0n
      const longest = signedHead > head ? signedHead : head
      if (longest > last) {
        const witnesses = [
          ...(head > last ? [`the head says ${head}`] : []),
          ...(signed !== undefined && signedHead > last ? [`the anchor of ${signed.made_at} signed ${signedHead}`] : [])
        ]
        found({ code: 'TRUNCATED', ...about(last + 1n), detail: `${missing(last + 1n, longest)} at the end: ${witnesses.join(', ')}` })
      }
      if (end.head !== null && last > head) {
        found({ code: 'HEAD_MISMATCH', ...about(head + 1n), detail: `${positions(head + 1n, last)} ${head + 1n === last ? 'is' : 'are'} after the head, which says ${head}` })
      }
    }
  }
}
