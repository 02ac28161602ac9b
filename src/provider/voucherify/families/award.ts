import { Type } from '@sinclair/typebox'
import { INFORMED, type CardSighting, type Fact, type MovementSighting } from '../../../ledger/facts.ts'
import type { Envelope } from '../envelope.ts'
import { MAX_KEY_BYTES, naturalKey } from '../ids.ts'
import { isObject, type JsonObject } from '../json.ts'
import { exact, exactInteger, maybe, reader, UnreadablePayload, type Family, type Reading } from './family.ts'
import { Card, Customer, customerSighting, optionalId, optionalText, Order, orderCore, orderSighting, requiredId, requiredInstant, toMilliseconds } from './parts.ts'

const TYPE = 'customer.rewarded.loyalty_points'

const Award = Type.Object({
  customer: maybe(Customer),
  holder: maybe(Customer),
  voucher: maybe(Card),
  campaign: maybe(Type.Object({ id: maybe(Type.String()), name: maybe(Type.String()) })),
  earning_rule: Type.Object({ id: Type.String() }),
  balance: Type.Object({
    points: exactInteger(0),
    balance: maybe(exactInteger()),
    related_object: maybe(Type.Object({ id: maybe(Type.String()), type: maybe(Type.String()) }))
  }),
  order: maybe(Order),
  event: maybe(Type.Object({ id: maybe(Type.String()), type: maybe(Type.String()), created_at: maybe(Type.String()) }))
})

const readAward = reader(Award)

/**
 * Points earned under an earning rule: an accrual.
 *
 * `data.event` is the event that *triggered* the earning. One trigger can earn under several rules at the same
 * millisecond, so its id alone does not identify an award; with the rule and the card it does.
 */
export const award: Family = {
  types: [TYPE],
  recognises: (data: JsonObject) => isObject(data.earning_rule) && isObject(data.balance) && isObject(data.event),
  read
}

function read (envelope: Envelope): Reading {
  const data = readAward(envelope.data)
  const card_id = requiredId(data.voucher?.id ?? relatedCard(data.balance.related_object), 'voucher.id')
  const rule = requiredId(data.earning_rule.id, 'earning_rule.id')
  // Not the envelope's id instead: the same award as bare data would then be another movement.
  const trigger = requiredId(data.event?.id, 'event.id')
  const holder = optionalId(data.voucher?.holder_id, 'voucher.holder_id') ?? optionalId(data.holder?.id, 'holder.id')
  const customer_id = holder ?? optionalId(data.customer?.id, 'customer.id')
  if (customer_id === null) throw new UnreadablePayload('data.customer.id: neither customer nor holder says whose card this is')
  const occurred_at = requiredInstant('event.created_at', envelope.occurred_at, data.event?.created_at)

  const movement_id = naturalKey('award', trigger, rule, card_id)
  if (Buffer.byteLength(movement_id) > MAX_KEY_BYTES) throw new UnreadablePayload('event.id, earning_rule.id, voucher.id: too long for one key')
  const movement: MovementSighting = {
    fact: 'movement',
    movement_id,
    card_id,
    informed: envelope.shape === 'bare' ? INFORMED.bare : INFORMED.enveloped,
    kind: 'accrual',
    points: exact(data.balance.points),
    reported_balance: exact(data.balance.balance),
    occurred_at,
    order_id: optionalId(data.order?.id, 'order.id'),
    earning_rule_id: rule
  }
  const facts: Fact[] = [
    movement,
    cardSighting(),
    ...customerSighting(data.customer, occurred_at),
    ...(data.holder?.id === data.customer?.id ? [] : customerSighting(data.holder, occurred_at))
  ]
  // An order inside a reward counts as an observation of that order, when it says which state it is in.
  const order = movement.order_id !== null && data.order?.status
    ? orderSighting(data.order, optionalId(data.customer?.id, 'customer.id') ?? customer_id, occurred_at)
    : undefined
  // Whoever holds the card or placed the order exists, even where nothing else is said of them.
  for (const id of new Set([customer_id, order?.customer_id ?? customer_id])) {
    facts.push({ fact: 'customer', customer_id: id, occurred_at, fields: {} })
  }
  if (order !== undefined) facts.push(order)
  return {
    bare: { event_id: trigger, type: TYPE },
    subject: naturalKey('award', rule, card_id),
    customer_id,
    occurred_at,
    facts,
    core: [
      'award', trigger, rule, card_id, customer_id, movement.points, movement.reported_balance, toMilliseconds(occurred_at),
      movement.order_id, ...(order === undefined ? [] : orderCore(order))
    ],
    ids: [trigger, card_id, customer_id]
  }

  function cardSighting (): CardSighting {
    const fields: CardSighting['fields'] = { customer_id }
    const campaign_id = data.voucher?.campaign_id ?? data.campaign?.id
    const campaign = data.voucher?.campaign ?? data.campaign?.name
    if (data.voucher?.code !== undefined) fields.code = optionalText(data.voucher.code)
    if (campaign_id !== undefined) fields.campaign_id = optionalId(campaign_id, 'voucher.campaign_id')
    if (campaign !== undefined) fields.campaign = optionalText(campaign)
    return { fact: 'card', card_id, occurred_at, fields }
  }
}

function relatedCard (related: { id?: string | null, type?: string | null } | null | undefined): string | null {
  return related?.type === 'voucher' ? related.id ?? null : null
}
