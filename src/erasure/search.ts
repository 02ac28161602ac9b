import type { CustomerObservation, Fact } from '../ledger/facts.ts'
import { isAddress, recognise, type PersonMatcher } from '../providers/person.ts'
import type { EventReader, RedactionExtent } from '../providers/provider.ts'
import type { Providers } from '../providers/index.ts'
import type { Db } from '../postgres/database.ts'
import { readKnownOf, searchShard, type Found, type Sought } from './erasure.sql.ts'
import { readHeads } from '../log/shards.sql.ts'

/** An event that may concern the customer, as its body stands now. */
export interface SearchedEvent extends Omit<Found, 'body'>, Shown {}

/** What a body says of the customer, and which orders it shows. */
export interface Shown {
  profile: CustomerObservation[]
  orders: string[]
}

/** Everything that is looked for, and what was found. */
export interface Search {
  customer_id: string
  /** The id as their provider's payloads write it. */
  sent_id: string
  entries: Map<string, SearchedEvent>
  /** Does the ledger know the customer at all? */
  exists: boolean
  /** Recognises the customer by what they are called in all that was found. */
  matcher: () => PersonMatcher
  /** Notes what a body calls the customer; an address of theirs is searched for, too. */
  learn: (sent: Sent) => void
  /** The facts of a body; none where this version cannot read it: nothing was projected from it either. */
  factsIn: (sent: Sent & { test: boolean }) => Fact[]
  /**
   * A body without what is personal about the customer; undefined when it is not JSON.
   * @throws UnreadableSender
   */
  redact: (sent: Sent, extent: RedactionExtent) => string | undefined
  /** Can an id in what a provider sent be theirs? Other providers may call others alike. */
  mayName: (provider: string) => boolean
  /** Does a body hold an id or an address of theirs? */
  concerns: (sent: Sent) => boolean
  /** Looks through what was stored since the last look. */
  look: (db: Db) => Promise<void>
  /** The same, and through all of the log again for what was learned: that takes long. */
  lookAgain: (db: Db) => Promise<void>
  shownBy: (facts: readonly Fact[]) => Shown
}

export function eventKeyOf ({ event_id, subject }: { event_id: string, subject: string }): string {
  return JSON.stringify([event_id, subject])
}

/** A body, and the name of the provider that sent it. */
export interface Sent { provider: string, body: string }

/** Something that may hold personal data came from a provider that this version cannot read. */
export class UnreadableSender extends Error {
  override name = 'UnreadableSender'
  readonly code = 'provider_unknown'
}

/**
 * Searches for every event that names a customer, one of their orders or cards, or one of their known addresses. What
 * it finds can name more of those, so it repeats until it finds nothing new. It also searches for orders of others that
 * name the customer: when the customer is removed from one state of an order, all its states are folded again. Keeps no
 * bodies.
 */
export async function createSearch (db: Db, customer_id: string, providers: Providers): Promise<Search> {
  const before = await readKnownOf(db, customer_id)
  const texts = new Set(before.texts)
  const strings = new Set([customer_id, ...before.cards, ...before.orders].map(id => inJson(id)))
  const others = new Set<string>()
  const parts = new Set<string>()
  const searched = new Set<string>()
  const reached = new Map<number, bigint>()
  const entries = new Map<string, SearchedEvent>()
  const profiles = new Map<string, CustomerObservation>()
  let known: { of: number, by: PersonMatcher } | undefined
  for (const text of before.texts) want(text)

  function want (text: string): void {
    if (isAddress(text)) for (const spelling of [text, text.toLowerCase()]) parts.add(spelling).add(spelling.replaceAll('@', '\\u0040'))
  }

  function readerOf (provider: string): EventReader {
    const reader = providers.readerNamed(provider)
    if (reader !== undefined) return reader
    throw new UnreadableSender(`This version has no reader for what the provider ${JSON.stringify(provider)} sent, so it cannot erase a customer from it. Erase with a version that has one.`)
  }

  /** As JSON writes an id between quotes, in the payloads of its provider. */
  function inJson (id: string): string {
    return JSON.stringify(providers.asSent(id)).slice(1, -1)
  }

  function factsIn ({ provider, body, test }: Sent & { test: boolean }): Fact[] {
    if (test) return []
    const reader = readerOf(provider)
    try {
      return reader.factsOf(body)
    } catch {
      return []
    }
  }

  function mayName (provider: string): boolean {
    return provider === providers.ofId(customer_id).name || providers.named(provider) === undefined
  }

  function concerns ({ provider, body }: Sent): boolean {
    const named = mayName(provider) && [...strings].some(id => body.includes(`"${id}"`) || body.includes(`"${id}\\"`))
    return named || [...parts].some(part => body.includes(part))
  }

  function learn ({ provider, body }: Sent): void {
    for (const text of readerOf(provider).identifyingTexts(body, customer_id)) {
      texts.add(text)
      want(text)
    }
  }

  function matcher (): PersonMatcher {
    if (known?.of !== texts.size) known = { of: texts.size, by: recognise(texts) }
    return known.by
  }

  function shownBy (facts: readonly Fact[]): Shown {
    const profile = facts.filter(fact => fact.fact === 'customer').filter(fact => fact.customer_id === customer_id)
    const orders = facts.flatMap(fact => fact.fact === 'order' ? [fact.order_id] : [])
    return { profile: profile.map(shared), orders }
  }

  // Most events state the same about a customer: keep it once.
  function shared (observation: CustomerObservation): CustomerObservation {
    const key = JSON.stringify(observation.fields)
    const known = profiles.get(key) ?? observation
    profiles.set(key, known)
    return { ...observation, fields: known.fields }
  }

  function note (found: Found): void {
    const { body: _, ...event } = found
    const facts = factsIn(found)
    for (const fact of facts) {
      if (fact.fact === 'order') (fact.customer_id === customer_id ? strings : others).add(inJson(fact.order_id))
      if ('card_id' in fact && 'holder_id' in fact && fact.holder_id === customer_id) strings.add(inJson(fact.card_id))
    }
    learn(found)
    if (!entries.has(eventKeyOf(event))) entries.set(eventKeyOf(event), { ...event, ...shownBy(facts) })
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
    sent_id: providers.asSent(customer_id),
    entries,
    exists: before.exists,
    matcher,
    learn,
    factsIn,
    redact: ({ provider, body }, extent) => readerOf(provider).redact(body, { customer_id, matcher: matcher() }, extent),
    mayName,
    concerns,
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
