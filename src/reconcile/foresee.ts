import type { Db } from '../postgres/database.ts'
import { storeDelivery, type Ingest } from '../ingest/store-delivery.ts'
import type { PullScope, PulledThing } from '../providers/pull.ts'
import type { Caller } from './calls.ts'
import { readStatedCards } from './cards.sql.ts'
import { mergeStated, statedIn } from './pulled.ts'
import type { AskedProvider, ReconcileProgress } from './reconcile.ts'
import { readCursors } from './reconciliations.sql.ts'
import { compareCard, LISTED_DIFFERENCES, type CardDifference, type StatedCard } from './statement.ts'

/** What a reconciliation would do. */
export interface Foreseen {
  calls: number
  pulled: number
  /** Objects that are not stored yet, by what they are about. */
  missing: Partial<Record<PulledThing, number>>
  /** Objects that cannot be used, or contradict what is stored. */
  quarantined: number
  cards_compared: number
  cards_different: number
  /** By how many points the balances of those cards would change, added up without their signs. */
  points: bigint
  /** The cards that the ledger does not say right now; the first of them where there are many. */
  differences: CardDifference[]
  remarks: string[]
}

interface ForeseeOptions {
  /** Only read. */
  db: Db
  /** With an appender that writes nothing (`createDryRun`). */
  intake: Ingest
  provider: AskedProvider
  caller: Caller
  scope: PullScope
  onProgress?: (progress: ReconcileProgress) => void
}

/** Asks the provider from where the last run ended, and says what would be stored and which cards would change. */
export async function foreseeReconciliation ({ db, intake, provider, caller, scope, onProgress }: ForeseeOptions): Promise<Foreseen> {
  const foreseen: Foreseen = { calls: 0, pulled: 0, missing: {}, quarantined: 0, cards_compared: 0, cards_different: 0, points: 0n, differences: [], remarks: [] }
  const stated = new Map<string, StatedCard>()
  const cursors = await readCursors(db, provider.name)
  for (const list of await provider.pull.lists(caller.call, scope)) {
    for await (const { deliveries, remark } of list.pages(cursors.get(list.name))) {
      for (const card of statedIn(deliveries, provider)) mergeStated(stated, card)
      const stored = await Promise.all(deliveries.map(async body => await storeDelivery(body, intake, provider)))
      foreseen.pulled += stored.length
      foreseen.quarantined += stored.filter(({ status }) => status === 'conflict' || status === 'unusable').length
      const missing = stored.filter(({ status }) => status === 'accepted').length
      if (missing > 0) foreseen.missing[list.thing] = (foreseen.missing[list.thing] ?? 0) + missing
      if (remark !== undefined) foreseen.remarks.push(remark)
      onProgress?.({ list: list.name, thing: list.thing, pulled: foreseen.pulled, stored: 0, calls: caller.made() })
    }
  }
  await compareAll(db, [...stated.values()], foreseen)
  return { ...foreseen, calls: caller.made() }
}

const PAGE_CARDS = 1000

async function compareAll (db: Db, stated: readonly StatedCard[], foreseen: Foreseen): Promise<void> {
  for (let at = 0; at < stated.length; at += PAGE_CARDS) {
    for (const card of await readStatedCards(db, stated.slice(at, at + PAGE_CARDS))) {
      foreseen.cards_compared++
      const compared = compareCard(card)
      if (compared.as !== 'different') continue
      foreseen.cards_different++
      const points = (card.balance ?? 0n) - (card.balance_then ?? 0n)
      foreseen.points += points < 0n ? -points : points
      if (foreseen.differences.length < LISTED_DIFFERENCES) foreseen.differences.push(compared.difference)
    }
  }
}
