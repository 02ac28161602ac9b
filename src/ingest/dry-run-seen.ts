import { createHash } from 'node:crypto'
import type { EventKey } from '../log/read.sql.ts'

/** Told for the first time, told before with the same facts, or with other ones. */
export type SeenAgain = 'first' | 'same' | 'other'

/** Remembers with which facts each event was told first. */
export interface SeenEvents { observeFields: (key: EventKey, fact_digest: string) => SeenAgain }

/** A key and its facts: two numbers of 8 bytes. */
const SLOT = 2
const FEWEST_SLOTS = 1024

/**
 * 32 to 64 bytes an event, where a Map of texts takes 250: a table of digests, at most half full, probed in a line. Of each
 * sha256 8 bytes are kept: with a million events, one table in 30 million mistakes a key for another.
 */
export function createSeenEvents (): SeenEvents {
  let table = new BigUint64Array(FEWEST_SLOTS * SLOT)
  let events = 0

  function placeOf (key: bigint, slots: BigUint64Array): number {
    const last = slots.length / SLOT - 1
    let slot = Number(BigInt.asUintN(32, key)) & last
    while (slots[slot * SLOT] !== 0n && slots[slot * SLOT] !== key) slot = (slot + 1) & last
    return slot * SLOT
  }

  function grow (): void {
    const larger = new BigUint64Array(table.length * 2)
    for (let place = 0; place < table.length; place += SLOT) {
      if (table[place] !== 0n) larger.set(table.subarray(place, place + SLOT), placeOf(table[place] as bigint, larger))
    }
    table = larger
  }

  return {
    observeFields ({ event_id, subject }, fact_digest) {
      const key = eightBytes(`${event_id}\u001f${subject}`)
      const facts = eightBytes(fact_digest)
      const place = placeOf(key, table)
      if (table[place] === key) return table[place + 1] === facts ? 'same' : 'other'
      table[place] = key
      table[place + 1] = facts
      if (++events * SLOT * 2 > table.length) grow()
      return 'first'
    }
  }
}

/** Never 0, which marks a free slot. */
function eightBytes (text: string): bigint {
  return createHash('sha256').update(text).digest().readBigUInt64BE() || 1n
}
