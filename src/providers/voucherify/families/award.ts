import { Type } from '@sinclair/typebox'
import type { MovementObservation } from '../../../ledger/facts.ts'
import type { Envelope } from '../wire/envelope.ts'
import { idOf, naturalKey } from '../wire/ids.ts'
import { isObject, type JsonObject } from '../wire/json.ts'
import { bystanders, about, Balance, balanceAmong, cardFacts, customerOf } from '../payloads/card.ts'
import { observedOrder } from '../payloads/order.ts'
import { Described, exact, exactInteger, maybe, reader, UnreadablePayload } from '../payloads/decoder.ts'
import { details, movementKey, optionalId, requiredId, requiredInstant, textIn, toMilliseconds } from '../payloads/values.ts'
import { sourceRankOf, type Family, type Reading } from './family.ts'

const TYPE = 'customer.rewarded.loyalty_points'

const Award = Type.Object({
  ...about,
  earning_rule: Type.Object({ id: Type.String() }),
  balance: Type.Object({ ...Balance.properties, points: exactInteger(0) }),
  order: Described,
  event: maybe(Type.Object({ id: maybe(Type.String()), type: Described, created_at: Described }))
})

const readAward = reader(Award)

/**
 * Points earned under an earning rule: an accrual.
 *
 * `data.event` is the event that *triggered* the award. One trigger can earn under several rules in the same
 * millisecond, so its id alone does not identify an award. With the rule and the card it does.
 */
export const award: Family = {
  types: [TYPE],
  recognises: (data: JsonObject) => isObject(data.earning_rule) && isObject(data.balance) && isObject(data.event) && !isObject(data.transaction),
  read
}

function read (envelope: Envelope): Reading {
  if (envelope.shape === 'v2018' && !isObject(envelope.data.earning_rule)) return readNotification(envelope)
  const data = readAward(envelope.data)
  const card_id = requiredId(data.voucher?.id ?? relatedCard(data.balance.related_object), 'voucher.id')
  const rule = requiredId(data.earning_rule.id, 'earning_rule.id')
  // The envelope's id is no substitute: the same award as bare data would then be another movement.
  const trigger = requiredId(data.event?.id, 'event.id')
  const customer_id = customerOf(data)
  if (customer_id === null) throw new UnreadablePayload('data.customer.id: neither customer nor holder says whose card this is')
  const occurred_at = requiredInstant('event.created_at', envelope.occurred_at, data.event?.created_at)
  const movement: MovementObservation = {
    fact: 'movement',
    movement_id: movementKey('award', trigger, rule, card_id),
    card_id,
    source_rank: sourceRankOf(envelope),
    kind: 'accrual',
    points: exact(data.balance.points),
    reported_balance: exact(data.balance.balance),
    occurred_at,
    order_id: idOf(data.order) ?? null,
    earning_rule_id: rule,
    holder_id: customer_id,
    details: details({ trigger_type: textIn(data.event, 'type') })
  }
  const orders = observedOrder(data.order, optionalId(data.customer?.id, 'customer.id') ?? customer_id)
  return {
    bare: { event_id: trigger, type: TYPE },
    subject: naturalKey('award', rule, card_id),
    customer_id,
    occurred_at,
    facts: [
      movement,
      ...cardFacts(card_id, data, customer_id, occurred_at),
      ...bystanders(data, [customer_id], orders, occurred_at)
    ],
    core: {
      award: trigger,
      rule,
      card: card_id,
      holder: customer_id,
      points: movement.points,
      balance: movement.reported_balance,
      occurred_at: toMilliseconds(occurred_at),
      order: movement.order_id
    },
    ids: [trigger, card_id, customer_id]
  }
}

const readNotified = reader(Type.Object({ ...about, balance: Type.Object({ ...Balance.properties, points: exactInteger(0) }), order: Described }))

/**
 * A notification of the retired shape says how many points were earned and what the card held then, but not under which
 * rule and by which trigger. As a movement it would count a second time beside the award, so only the balance is taken.
 */
function readNotification (envelope: Envelope): Reading {
  const data = readNotified(envelope.data)
  const card_id = requiredId(data.voucher?.id ?? relatedCard(data.balance.related_object), 'voucher.id')
  const customer_id = customerOf(data)
  const occurred_at = requiredInstant('related_object.created_at', envelope.occurred_at)
  const balance = balanceAmong('balance.balance', data.balance)
  return {
    subject: naturalKey('card', card_id),
    customer_id,
    occurred_at,
    facts: [
      ...(balance === null ? [] : [{ fact: 'snapshot' as const, card_id, balance, pending: null, occurred_at }]),
      ...cardFacts(card_id, data, customer_id, occurred_at),
      ...bystanders(data, [customer_id], observedOrder(data.order, customer_id), occurred_at)
    ],
    core: { card: card_id, points: exact(data.balance.points), balance, occurred_at: toMilliseconds(occurred_at) },
    ids: [envelope.event_id, card_id, customer_id]
  }
}

function relatedCard (related: unknown): string | null {
  return isObject(related) && related.type === 'voucher' ? idOf(related) ?? null : null
}
