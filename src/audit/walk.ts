import type { LogEnd } from './log.sql.ts'
import { CHAIN_START, chainAfter, type Link } from './chain.ts'
import { positions, type Found } from './finding.ts'

/** A shard as an anchor signed it. */
export interface SignedHead { head: bigint, chain: Buffer, made_at: string }

/** Checks the rows of a shard as a sequence: given in order, each once, then the end. Holds nothing but the row before. */
export interface ShardWalk {
  next: (row: Link & { chain: Buffer }) => void
  end: () => void
}

/**
 * Begins the walk of a shard.
 * @param end how far the shard went when the walk began; rows after it are none of this walk's
 */
export function walkShard (end: LogEnd, signed: SignedHead | undefined, found: Found): ShardWalk {
  const { shard } = end
  const head = end.head ?? 0n
  let last = 0n
  // From the stored value and not from the recomputed one: a row that was changed is one finding, and not one for each after it.
  let before: Buffer | undefined = CHAIN_START
  const about = (position: bigint | null) => ({ shard, position, event_id: null, subject: null })

  if (end.head === null) found({ code: 'HEAD_MISMATCH', ...about(null), detail: 'ledger.shards has no row of the shard' })
  else if (head === 0n && end.chain?.equals(CHAIN_START) === false) found({ code: 'HEAD_MISMATCH', ...about(0n), detail: 'the head says that the shard is empty, with the chain value of one that is not' })

  function next (row: Link & { chain: Buffer }): void {
    const { position, event_id, subject } = row
    const at = { shard, position, event_id, subject }
    if (position < 1n) {
      found({ code: 'HEAD_MISMATCH', ...at, detail: 'the row stands before position 1, where the log begins' })
      return
    }
    if (position > last + 1n) {
      found({ code: 'GAP', ...about(last + 1n), detail: `${missing(last + 1n, position - 1n)}; the chain cannot be followed over it` })
      before = undefined
    }
    if (before !== undefined && !chainAfter(before, row).equals(row.chain)) {
      found({ code: 'CHAIN_MISMATCH', ...at, detail: 'the chain value does not follow from the one before and this row: one of the two was changed, or put elsewhere' })
    }
    if (position === head && end.chain?.equals(row.chain) === false) {
      found({ code: 'HEAD_MISMATCH', ...at, detail: 'ledger.shards has another chain value than the row at the head' })
    }
    if (position === signed?.head && !signed.chain.equals(row.chain)) {
      found({ code: 'REWRITTEN', ...at, detail: `the anchor of ${signed.made_at} signed another chain value here: the log up to here was rewritten since, or is another log` })
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
      const observed = signed?.head ?? 0n
      const longest = observed > head ? observed : head
      if (longest > last) {
        const witnesses = [
          ...(head > last ? [`the head says ${head}`] : []),
          ...(signed !== undefined && observed > last ? [`the anchor of ${signed.made_at} signed ${observed}`] : [])
        ]
        found({ code: 'TRUNCATED', ...about(last + 1n), detail: `${missing(last + 1n, longest)} at the end: ${witnesses.join(', ')}` })
      }
      if (end.head !== null && last > head) {
        found({ code: 'HEAD_MISMATCH', ...about(head + 1n), detail: `${positions(head + 1n, last)} ${head + 1n === last ? 'stands' : 'stand'} behind the head, which says ${head}` })
      }
    }
  }
}
