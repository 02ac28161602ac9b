import { Type } from '@sinclair/typebox'
import { SOURCE_RANK } from '../../../ledger/facts.ts'
import type { Envelope } from '../wire/envelope.ts'
import { naturalKey } from '../wire/ids.ts'
import { isObject } from '../wire/json.ts'
import { customerOf, isLoyaltyCard, type Card } from '../payloads/card.ts'
import { besideRedemption, redemptionPayload, spend } from '../payloads/redemption.ts'
import { Described, exact, exactInteger, maybe, reader, relied } from '../payloads/decoder.ts'
import { idAmong, optionalId, requiredId, requiredInstant } from '../payloads/values.ts'
import type { Family, Reading } from './family.ts'

const readPayload = reader(Type.Object({
  ...redemptionPayload,
  reward_redemption: Type.Object({
    id: maybe(Type.String()),
    state: maybe(Type.String()),
    voucher_id: maybe(Type.String()),
    source_id: Described,
    source_type: relied(Type.String()),
    created_at: Described
  }),
  source: Described,
  reward_assignment: maybe(Type.Object({
    parameters: maybe(Type.Object({ loyalty: maybe(Type.Object({ points: maybe(exactInteger(0)) })) }))
  }))
}))

/**
 * The states of a reward on its way to the customer, `rewr_…`. Where a redemption paid for it, that is its source, and
 * the points were spent once, whatever the states. A reward for a referral has another source and costs no points. How
 * many they were, only the reward's price states here, and a reward of coins has none: the lowest source rank.
 */
export const rewardRedemption: Family = {
  types: ['created', 'pending', 'completed'].map(state => `customer.reward_redemptions.${state}`),
  recognises: data => isObject(data.reward_redemption),
  read
}

function read (envelope: Envelope): Reading {
  const data = readPayload(envelope.data)
  const { reward_redemption } = data
  const id = requiredId(reward_redemption.id, 'reward_redemption.id')
  const state = optionalId(reward_redemption.state, 'reward_redemption.state') ?? 'UNKNOWN'
  const occurred_at = requiredInstant('data.reward_redemption.created_at', reward_redemption.created_at, envelope.occurred_at)
  const card = cardOf(data.voucher, reward_redemption.voucher_id)
  const redemption_id = payingRedemption(data)
  const price = card === undefined || redemption_id === undefined ? null : exact(data.reward_assignment?.parameters?.loyalty?.points)
  const points = price === null ? null : -price
  const customer_id = customerOf(data)
  return {
    bare: { event_id: naturalKey('reward_redemption', id, state), type: `customer.reward_redemptions.${state.toLowerCase()}` },
    subject: naturalKey('reward_redemption', id),
    customer_id,
    occurred_at,
    facts: [
      ...(card === undefined || redemption_id === undefined
        ? []
        : spend(data, card, { entity: 'redemption', id: redemption_id, kind: 'redemption', points, source_rank: SOURCE_RANK.priced, occurred_at, also: { redemption_id, reward_state: state } })),
      ...besideRedemption(data, customer_id, occurred_at)
    ],
    core: { reward_redemption: id, redemption: redemption_id ?? null, card: card?.id ?? null, points },
    ids: [id, redemption_id, card?.id, customer_id]
  }
}

/**
 * The redemption that paid for the reward: its source, where that is a redemption. The payload names it twice, and
 * either can be missing.
 */
function payingRedemption ({ reward_redemption, source }: { reward_redemption: Source, source?: unknown }): string | undefined {
  const named = reward_redemption.source_type === REDEMPTION ? reward_redemption.source_id : undefined
  const beside = isObject(source) && source.type === REDEMPTION ? source.id : undefined
  return idAmong('reward_redemption.source_id', { id: named }, { id: beside }) ?? undefined
}

interface Source { source_id?: unknown, source_type?: string | null }

const REDEMPTION = 'redemption'

/** The card that paid. A voucher of another type in the payload is the reward. */
function cardOf (voucher: Card | null | undefined, voucher_id: string | null | undefined): Card | undefined {
  if (voucher !== null && voucher !== undefined) return isLoyaltyCard(voucher) ? voucher : undefined
  return voucher_id === null || voucher_id === undefined ? undefined : { id: voucher_id }
}
