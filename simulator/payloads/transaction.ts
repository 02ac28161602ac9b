import { instant } from '../clock.ts'
import { DISTRIBUTED, PROJECT, type ProviderEvent, type Stamp } from '../event.ts'
import { RANK, type Fact, type MovementFact } from '../facts.ts'
import type { JsonObject } from '../json.ts'
import { joined } from '../keys.ts'
import type { Row } from '../model.ts'
import { balanceObject, bucketObject, campaignObject, customerObject, simpleOrderObject, voucherObject } from './objects.ts'
import { cardAndHolderFacts } from './embedded-facts.ts'

/** `voucher.loyalty_card.transaction.created`. */
export function transactionEvent (stamp: Stamp, row: Row): ProviderEvent {
  const { card } = row
  return {
    ...stamp,
    ...keysOf(row),
    type: 'voucher.loyalty_card.transaction.created',
    routes: PROJECT,
    payload: () => ({
      transaction: transactionObject(row),
      voucher: voucherObject(card),
      campaign: campaignObject(card.campaign),
      holder: card.holder === undefined ? null : customerObject(card.holder),
      holder_loyalty_tier: null,
      balance: balanceObject(card, row.points),
      order: row.order === undefined ? null : simpleOrderObject(row.order),
      event: null,
      earning_rule: null,
      segment: null,
      loyalty_tier: null,
      redemption: null,
      rollback: null,
      reward: null,
      custom_event: null,
      source_voucher: null,
      destination_voucher: null
    }),
    facts: () => rowFacts(row),
    contradictions: [() => transactionEvent(stamp, contradicting(row))]
  }
}

/** `[customer.]voucher.loyalty_card.points_added`: a manual adjustment, either sign. */
export function pointsAddedEvent (stamp: Stamp, row: Row, options: { channel: 'project' | 'distribution', holder: boolean }): ProviderEvent {
  const { card } = row
  return {
    ...stamp,
    ...keysOf(row),
    ...channelOf(options.channel, 'points_added', row),
    payload: () => ({
      voucher: voucherObject(card, { holder: options.holder }),
      balance: balanceObject(card, row.points, { operation_type: 'MANUAL' }),
      campaign: campaignObject(card.campaign),
      customer: card.holder === undefined ? null : customerObject(card.holder),
      transaction: transactionObject(row)
    }),
    facts: () => rowFacts(row),
    contradictions: [() => pointsAddedEvent(stamp, contradicting(row), options)]
  }
}

/** `[customer.]voucher.loyalty_card.points_expired`: `points` is positive here, the row's own are negative. */
export function pointsExpiredEvent (
  stamp: Stamp, row: Row, options: { channel: 'project' | 'distribution', holder: boolean, bucket_ids: string[], listed: boolean }
): ProviderEvent {
  const { card } = row
  const share = Math.floor(-row.points / options.bucket_ids.length)
  const buckets = options.bucket_ids.map((id, index) => bucketObject(id, card, index === 0 ? -row.points - share * (options.bucket_ids.length - 1) : share))
  return {
    ...stamp,
    ...keysOf(row),
    ...channelOf(options.channel, 'points_expired', row),
    payload: () => ({
      voucher: voucherObject(card, { holder: options.holder }),
      points: -row.points,
      campaign: campaignObject(card.campaign),
      customer: card.holder === undefined ? null : customerObject(card.holder),
      buckets: options.listed ? buckets : buckets[0] ?? null,
      transaction: transactionObject(row)
    }),
    facts: () => rowFacts(row)
  }
}

export function transactionObject (row: Row): JsonObject {
  const { id, card, type, at } = row
  return {
    id,
    source_id: null,
    voucher_id: card.id,
    campaign_id: card.campaign.id,
    source: row.reason === undefined ? 'Automation' : 'voucherify-web-ui',
    reason: row.reason ?? null,
    type,
    details: { ...(row.balance_beside ? {} : { balance: balanceObject(card, row.points) }), ...row.details },
    related_transaction_id: row.related_id ?? null,
    created_at: instant(at)
  }
}

/** The facts of a payload that contains the row. */
export function rowFacts (row: Row): Fact[] {
  const movement: MovementFact = {
    fact: 'movement',
    movement_id: row.movement_id,
    card_id: row.card.id,
    rank: RANK.transaction,
    kind: row.kind,
    points: row.points,
    reported_balance: row.card.balance,
    occurred_at: instant(row.at),
    order_id: row.order?.id ?? null,
    earning_rule_id: row.rule_id ?? null
  }
  const { lot } = row
  if (lot === undefined) return [movement, ...cardAndHolderFacts(row.card, row.at)]
  const ended: Fact = { fact: 'lot', lot_id: lot.id, card_id: row.card.id, state: 'activated', points: 0, activates_on: lot.activates_on, at: instant(row.at) }
  return [movement, ...cardAndHolderFacts(row.card, row.at), ended]
}

function keysOf (row: Row): Pick<ProviderEvent, 'customer_id' | 'subject' | 'movement_id'> {
  return { customer_id: row.card.holder?.id ?? row.card.id, subject: joined('transaction', row.id), movement_id: row.movement_id }
}

export function channelOf (channel: 'project' | 'distribution', name: string, row: Row): Pick<ProviderEvent, 'type' | 'routes' | 'bare_id'> {
  if (channel === 'project') return { type: `voucher.loyalty_card.${name}`, routes: PROJECT }
  return {
    type: `customer.voucher.loyalty_card.${name}`,
    routes: DISTRIBUTED,
    bare_id: joined('transaction', row.id)
  }
}

function contradicting (row: Row): Row {
  const more = row.points > 0 ? 7 : -7
  return { ...row, points: row.points + more, card: { ...row.card, balance: row.card.balance + more } }
}
