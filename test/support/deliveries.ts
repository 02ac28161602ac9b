import { readFileSync } from 'node:fs'

/** The two real payloads this project began from, byte for byte. */
export const seeds = {
  award: readFileSync(new URL(import.meta.resolve('#root/samples/customer.rewarded.loyalty_points.json'))),
  order: readFileSync(new URL(import.meta.resolve('#root/samples/customer.order.paid.json')))
}

export interface AwardOptions {
  customer?: string
  card?: string
  rule?: string
  trigger?: string
  points?: number
  /** The card's balance after the award; null: not told. */
  balance?: number | null
  at?: string
}

/** An award as the provider sends it inside `data`. */
export function awardData (options: AwardOptions = {}) {
  const { customer = 'cust_1', card = 'v_1', rule = 'ern_1', trigger = 'evcus_1', points = 10, balance = null, at = '2026-01-01T10:00:00.000Z' } = options
  return {
    customer: { id: customer, source_id: `source-of-${customer}`, name: 'Ada', email: null, metadata: {}, object: 'customer' },
    holder: { id: customer, object: 'customer' },
    voucher: { id: card, code: `CODE-${card}`, holder_id: customer, campaign: 'Points', campaign_id: 'camp_1', type: 'LOYALTY_CARD', object: 'voucher' },
    earning_rule: { id: rule, object: 'earning_rule' },
    balance: { type: 'loyalty_card', points, total: points, ...(balance === null ? {} : { balance }), object: 'balance' },
    order: null,
    event: { id: trigger, type: 'customer.order.paid', created_at: at, group_id: 'v-1' }
  }
}

export interface OrderOptions {
  id?: string
  customer?: string
  status?: string
  amount?: number
  createdAt?: string
  updatedAt?: string
}

/** An order event as the provider sends it inside `data`. */
export function orderData (options: OrderOptions = {}) {
  const { id = 'ord_1', customer = 'cust_1', status = 'PAID', amount = 1000, createdAt = '2026-01-01T09:59:00.000Z', updatedAt = '2026-01-01T10:00:00.000Z' } = options
  return {
    customer: { id: customer, source_id: `source-of-${customer}`, name: 'Ada', email: null, metadata: {}, object: 'customer' },
    referrer: null,
    order: { id, source_id: null, status, amount, total_amount: amount, items: [], metadata: {}, created_at: createdAt, updated_at: updatedAt, customer_id: customer, object: 'order' },
    redemption: null
  }
}

export interface EnvelopeOptions {
  id?: string
  type?: string
  eventType?: string
  at?: string
  sendOut?: string
  source?: 'webhook' | 'distribution'
}

/** A v2024 envelope around `data`. */
export function enveloped (data: object, options: EnvelopeOptions = {}) {
  const { id = 'ev_1', eventType = 'customer.rewarded.loyalty_points', type = eventType, at = '2026-01-01T10:00:01.000Z', sendOut = 'whs_1', source = 'webhook' } = options
  return {
    id: sendOut,
    project_id: 'proj_1',
    created_at: at,
    type,
    data,
    source: { id: source === 'webhook' ? 'wh_1' : 'dist_1', object: source, target_url: 'https://merchant.example/hooks' },
    event: { id, type: eventType, created_at: at, entity_id: 'cust_1', group_id: 'v-1', event_source: { channel: 'API' } }
  }
}
