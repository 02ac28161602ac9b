import { day, DAY, instant, written, type Micros } from '../clock.ts'
import { DISTRIBUTED, DISTRIBUTED_WRAPPED, PROJECT, type ProviderEvent, type Stamp } from '../event.ts'
import type { LotState } from '../facts.ts'
import type { JsonObject } from '../json.ts'
import { joined } from '../keys.ts'
import type { CardState, Lot, Row } from '../model.ts'
import { balanceObject, campaignObject, customerObject, simpleOrderObject, voucherObject } from './objects.ts'
import { cardAndHolderFacts } from './embedded-facts.ts'
import { channelOf, rowFacts, transactionObject } from './transaction.ts'

/** A lot after a change. */
export interface PendingPoints {
  lot: Lot
  /** The outstanding points that the payload states. */
  points: number
  card: CardState
  /** When it changed; absent right after it was added. */
  updated_at?: Micros
  holder: boolean
}

type Channel = 'project' | 'distribution'

/** `[customer.]voucher.loyalty_card.pending_points.added`, `.updated`, `.canceled`: the balance does not change. */
export function pendingEvent (stamp: Stamp, pending: PendingPoints, state: Exclude<LotState, 'activated'>, delta: number, channel: Channel): ProviderEvent {
  return pendingShaped(stamp, pending, { named: state, state, delta }, channel)
}

/**
 * An event named activated with the shape of added, like the provider's own sample. Its fields decide: points were
 * added or, with a negative number, removed from the pending ones.
 */
export function misnamedActivation (stamp: Stamp, pending: PendingPoints, delta: number, channel: Channel): ProviderEvent {
  const event = pendingShaped(stamp, pending, { named: 'activated', state: delta < 0 ? 'canceled' : 'added', delta }, channel)
  return { ...event, misnamed: true, routes: event.routes.filter(route => route !== 'bare') }
}

function pendingShaped (
  stamp: Stamp, pending: PendingPoints, change: { named: LotState, state: Exclude<LotState, 'activated'>, delta: number }, channel: Channel
): ProviderEvent {
  const { lot, card } = pending
  const name = `voucher.loyalty_card.pending_points.${change.named}`
  // Bare data has no name: a lot cut to half its points looks like one that was canceled.
  const routes = change.state === 'updated' && -change.delta === pending.points ? DISTRIBUTED_WRAPPED : DISTRIBUTED
  const route = channel === 'project'
    ? { type: name, routes: PROJECT }
    : { type: `customer.${name}`, routes, bare_id: bareId(pending, change.state) }
  return {
    ...stamp,
    ...route,
    customer_id: card.holder?.id ?? card.id,
    subject: joined('pending', lot.id, change.named),
    payload: () => ({
      ...surroundings(pending),
      voucher_pending_points_balance: { ...balanceObject(card, change.delta), total: card.pending },
      pending_points: pendingObject(pending)
    }),
    facts: route => {
      const at = pending.updated_at ?? lot.created_at
      return [
        {
          fact: 'lot',
          lot_id: lot.id,
          card_id: card.id,
          state: change.state,
          points: change.state === 'canceled' ? 0 : pending.points,
          activates_on: activationDay(lot, card),
          at: instant(at)
        },
        { fact: 'snapshot', card_id: card.id, balance: null, pending: card.pending, at: instant(at) },
        ...cardAndHolderFacts(card, route === 'bare' ? at : stamp.at)
      ]
    }
  }
}

/** `[customer.]voucher.loyalty_card.pending_points.activated`: the row of the award, with its lot. */
export function activationEvent (stamp: Stamp, pending: PendingPoints, row: Row, channel: Channel): ProviderEvent {
  const { card } = pending
  return {
    ...stamp,
    ...channelOf(channel, 'pending_points.activated', row),
    customer_id: card.holder?.id ?? card.id,
    subject: joined('transaction', row.id),
    movement_id: row.movement_id,
    payload: () => ({
      ...surroundings(pending),
      balance: balanceObject(card, row.points, { operation_type: 'AUTOMATIC' }),
      transaction: transactionObject(row),
      pending_points: pendingObject(pending)
    }),
    facts: () => rowFacts(row)
  }
}

export function pendingObject ({ lot, points, card, updated_at }: PendingPoints): JsonObject {
  return {
    id: lot.id,
    voucher_id: card.id,
    campaign_id: card.campaign.id,
    customer_id: card.holder?.id ?? null,
    order_id: lot.order.id,
    points,
    activates_at: activationDay(lot, card),
    details: {
      event: { id: lot.trigger.id, type: 'customer.order.paid', group_id: lot.trigger.group_id, entity_id: lot.trigger.customer_id, created_at: written(lot.trigger.at), category: 'EFFECT' },
      earning_rule: { id: lot.rule.id, source: { banner: lot.rule.banner } },
      order: { id: lot.order.id, source_id: lot.order.source_id }
    },
    created_at: written(lot.created_at),
    ...(updated_at === undefined ? {} : { updated_at: instant(updated_at) })
  }
}

function surroundings (pending: PendingPoints): JsonObject {
  const { card, lot, holder } = pending
  return {
    customer: card.holder === undefined ? null : customerObject(card.holder),
    campaign: campaignObject(card.campaign),
    voucher: voucherObject(card, { holder }),
    order: simpleOrderObject(lot.order)
  }
}

/** The day on which the lot becomes available. */
export function activationDay (lot: Lot, card: CardState): string {
  return day(lot.created_at + card.campaign.pending_days * DAY)
}

function bareId ({ lot, updated_at }: PendingPoints, state: LotState): string {
  return `${joined('pending', lot.id, state)}:${updated_at === undefined ? written(lot.created_at) : instant(updated_at)}`
}
