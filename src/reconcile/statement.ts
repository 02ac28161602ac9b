import type { Instant } from '../ledger/instant.ts'

// What the provider states of a card, beside what the ledger says of it. Pure.

/** The figures that a card is compared by, and by whose changes it was healed. */
export const FIGURES = ['opening', 'earned', 'spent', 'refunded', 'expired', 'adjusted', 'transferred', 'unexplained', 'pending', 'pending_unexplained'] as const
export type Figure = typeof FIGURES[number]
export type Figures = Record<Figure | 'balance', bigint>

/** What the provider stated of a card last; null where it stated nothing. */
export interface StatedCard {
  card_id: string
  balance: bigint | null
  balance_at: Instant | null
  pending: bigint | null
  pending_at: Instant | null
}

/** A card to compare. */
export interface ComparedCard extends StatedCard {
  /** Null: the ledger did not know it. */
  before: Figures | null
  /** Null: the ledger does not know it. */
  after: Figures | null
  customer_id: string | null
  /** The ledger's balance as of `balance_at`. */
  balance_then: bigint | null
  /** Whether pending points of the card changed after `pending_at`, so that they cannot be compared. */
  pending_moved: boolean
  parked: boolean
}

/** How a card compares. `changed`: by how many points each figure changed. */
export type Comparison =
  | { as: 'equal' }
  | { as: 'healed', changed: Partial<Record<Figure, bigint>> }
  | { as: 'different', difference: CardDifference }

/** A card that is not as the provider states it. Points as decimals. */
export interface CardDifference {
  card_id: string
  customer_id: string | null
  balance: string | null
  stated_balance: string | null
  pending: string | null
  stated_pending: string | null
  /** Stable code; `detail` says it in words. */
  reason: 'card_unknown' | 'card_parked' | 'balance_differs' | 'pending_differs'
  detail: string
}

/** Compares one card, after everything that was pulled is projected. */
export function compareCard (card: ComparedCard): Comparison {
  const difference = differenceOf(card)
  if (difference !== undefined) return { as: 'different', difference }
  const changed = changesOf(card)
  // A card that was not known was not right before, even if it holds nothing.
  return card.before !== null && Object.keys(changed).length === 0 ? { as: 'equal' } : { as: 'healed', changed }
}

function differenceOf (card: ComparedCard): CardDifference | undefined {
  const { after, balance, balance_then, pending, pending_moved } = card
  if (after === null) return described(card, 'card_unknown', 'the ledger has no event about it that could be used: look into the quarantine')
  const balanceDiffers = balance !== null && balance_then !== balance
  const pendingDiffers = pending !== null && !pending_moved && after.pending !== pending
  if (!balanceDiffers && !pendingDiffers) return undefined
  if (card.parked) return described(card, 'card_parked', 'an event about it could not be folded: `parked list` says which')
  if (balanceDiffers) return described(card, 'balance_differs', 'its movements come to another balance: GET /v1/cards/{card}/explain shows which events they come from')
  return described(card, 'pending_differs', 'the lots that are known come to other pending points')
}

function described (card: ComparedCard, reason: CardDifference['reason'], detail: string): CardDifference {
  const text = (points: bigint | null | undefined): string | null => points === null || points === undefined ? null : String(points)
  return {
    card_id: card.card_id,
    customer_id: card.customer_id,
    balance: text(card.balance_then),
    stated_balance: text(card.balance),
    pending: text(card.after?.pending),
    stated_pending: text(card.pending),
    reason,
    detail
  }
}

function changesOf ({ before, after }: ComparedCard): Partial<Record<Figure, bigint>> {
  const changed: Partial<Record<Figure, bigint>> = {}
  for (const figure of FIGURES) {
    const points = (after?.[figure] ?? 0n) - (before?.[figure] ?? 0n)
    if (points !== 0n) changed[figure] = points
  }
  return changed
}

/** Whether the card's own rows may say more: it differs, or what was pulled left points unexplained. */
export function mayBeExplained (card: ComparedCard): boolean {
  const compared = compareCard(card)
  return compared.as === 'different' || (compared.as === 'healed' && card.after?.unexplained !== 0n)
}

/** The statement of a reconciliation: how the cards compare. */
export interface CardStatement {
  cards_compared: number
  cards_equal: number
  cards_healed: number
  cards_different: number
  /** By how many points the healed cards changed, by figure; signed. */
  healed: Partial<Record<Figure, bigint>>
  differences: CardDifference[]
}

/** How many differences a statement lists. */
export const LISTED_DIFFERENCES = 100

export function emptyStatement (): CardStatement {
  return { cards_compared: 0, cards_equal: 0, cards_healed: 0, cards_different: 0, healed: {}, differences: [] }
}

/** Adds a card to a statement, in place. */
export function addComparison (statement: CardStatement, card: ComparedCard): void {
  const compared = compareCard(card)
  statement.cards_compared++
  statement[`cards_${compared.as}`]++
  if (compared.as === 'healed') {
    for (const [figure, points] of Object.entries(compared.changed) as Array<[Figure, bigint]>) statement.healed[figure] = (statement.healed[figure] ?? 0n) + points
  }
  if (compared.as === 'different' && statement.differences.length < LISTED_DIFFERENCES) statement.differences.push(compared.difference)
}
