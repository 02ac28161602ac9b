import type { CustomerObservation, Fact } from '../ledger/facts.ts'
import { factsOf } from '../providers/voucherify/identify.ts'
import { isAddress, recognise, type Known } from '../providers/voucherify/privacy/person.ts'
import { identifyingTexts } from '../providers/voucherify/privacy/identifying-texts.ts'
import type { Db } from '../postgres/database.ts'
import { readKnown, searchShard, type Found, type Sought } from './erasure.sql.ts'
import { readHeads } from '../log/shards.sql.ts'

/** An event that may concern the customer, as its body stands now. */
export interface Entry extends Omit<Found, 'body'>, Shown {}

/** What a body says of the customer, and which orders it shows. */
export interface Shown {
  profile: CustomerObservation[]
  orders: string[]
}

/** Everything that is looked for, and what was found. */
export interface Search {
  customer_id: string
  entries: Map<string, Entry>
  /** Does the ledger know the customer at all? */
  exists: boolean
  /** What the customer is called, in all that was found. */
  known: () => Known
  /** Takes note of what a body calls the customer; an address of theirs is looked for, too. */
  learn: (body: string) => void
  /** Does a text hold an id or an address of theirs? */
  concerns: (text: string) => boolean
  /** Looks through what was stored since the last look. */
  look: (db: Db) => Promise<void>
  /** The same, and through all of the log again for what was learned: that takes long. */
  lookAgain: (db: Db) => Promise<void>
  shownBy: (facts: readonly Fact[]) => Shown
}

export function keyOf ({ event_id, subject }: { event_id: string, subject: string }): string {
  return JSON.stringify([event_id, subject])
}

/** Facts of a body; none where today's code cannot read it: nothing was projected from it either. */
export function factsIn (body: string, test: boolean): Fact[] {
  try {
    return test ? [] : factsOf(body)
  } catch {
    return []
  }
}

/**
 * Looks for every event that names a customer, an order or a card of theirs, or an address they were told to have. What is found
 * can name more of those: the search goes on until nothing new turns up. Orders of others that it shows are looked for, too: where
 * the customer leaves one of their states, all of them are folded anew. Keeps no bodies.
 */
export async function createSearch (db: Db, customer_id: string): Promise<Search> {
  const before = await readKnown(db, customer_id)
  const texts = new Set(before.texts)
  const strings = new Set([customer_id, ...before.cards, ...before.orders].map(inJson))
  const others = new Set<string>()
  const parts = new Set<string>()
  const searched = new Set<string>()
  const reached = new Map<number, bigint>()
  const entries = new Map<string, Entry>()
  const profiles = new Map<string, CustomerObservation>()
  let known: { of: number, by: Known } | undefined
  for (const text of before.texts) want(text)

  function want (text: string): void {
    if (isAddress(text)) for (const spelling of [text, text.toLowerCase()]) parts.add(spelling).add(spelling.replaceAll('@', '\\u0040'))
  }

  function learn (body: string): void {
    for (const text of identifyingTexts(body, customer_id)) {
      texts.add(text)
      want(text)
    }
  }

  function shownBy (facts: readonly Fact[]): Shown {
    const profile = facts.filter(fact => fact.fact === 'customer').filter(fact => fact.customer_id === customer_id)
    const orders = facts.flatMap(fact => fact.fact === 'order' ? [fact.order_id] : [])
    return { profile: profile.map(shared), orders }
  }

  // Most events tell the same of a customer: kept once.
  function shared (observation: CustomerObservation): CustomerObservation {
    const key = JSON.stringify(observation.fields)
    const known = profiles.get(key) ?? observation
    profiles.set(key, known)
    return { ...observation, fields: known.fields }
  }

  function note ({ body, ...event }: Found): void {
    const facts = factsIn(body, event.test)
    for (const fact of facts) {
      if (fact.fact === 'order') (fact.customer_id === customer_id ? strings : others).add(inJson(fact.order_id))
      if ('card_id' in fact && 'holder_id' in fact && fact.holder_id === customer_id) strings.add(inJson(fact.card_id))
    }
    learn(body)
    if (!entries.has(keyOf(event))) entries.set(keyOf(event), { ...event, ...shownBy(facts) })
  }

  async function walk (db: Db, shard: number, from: bigint, upTo: bigint, sought: Sought): Promise<void> {
    for (let after = from; after < upTo;) {
      const page = await searchShard(db, { shard, after, upTo }, sought)
      page.events.forEach(note)
      if (page.reached === null) return
      after = page.reached
    }
  }

  /** What is wanted and was not looked for in all of the log yet. */
  function fresh (): Sought {
    const unsearched = (texts: Set<string>): string[] => [...texts].filter(text => !searched.has(text))
    return { customer_id: null, strings: unsearched(new Set([...strings, ...others])), parts: unsearched(parts) }
  }

  function done (sought: Sought): void {
    for (const text of [...sought.strings, ...sought.parts]) searched.add(text)
  }

  async function look (db: Db): Promise<void> {
    const heads = await readHeads(db)
    const sought = { customer_id, strings: [...strings, ...others], parts: [...parts] }
    const first = reached.size === 0
    for (const { shard, head } of heads) {
      await walk(db, shard, reached.get(shard) ?? 0n, head, sought)
      reached.set(shard, head)
    }
    // Otherwise only the new events were looked through for it.
    if (first) done(sought)
  }

  return {
    customer_id,
    entries,
    exists: before.exists,
    known () {
      if (known?.of !== texts.size) known = { of: texts.size, by: recognise(texts) }
      return known.by
    },
    learn,
    concerns: text => [...strings].some(id => text.includes(`"${id}"`) || text.includes(`"${id}\\"`)) || [...parts].some(part => text.includes(part)),
    shownBy,
    look,
    async lookAgain (db) {
      await look(db)
      for (let sought = fresh(); sought.strings.length + sought.parts.length > 0; sought = fresh()) {
        for (const [shard, upTo] of reached) await walk(db, shard, 0n, upTo, sought)
        done(sought)
      }
    }
  }
}

/** As JSON writes it between quotes. */
function inJson (id: string): string {
  return JSON.stringify(id).slice(1, -1)
}
