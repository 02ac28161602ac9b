import { instant, written } from '../clock.ts'
import { PROJECT, type ProviderEvent, type Stamp } from '../event.ts'
import type { JsonObject } from '../json.ts'
import { joined } from '../keys.ts'
import type { GiftRow } from '../model.ts'
import { customerObject } from './objects.ts'

/** `voucher.loyalty_card.transaction.created` with a row of a gift card: money, no points. It has no facts. */
export function giftRowEvent (stamp: Stamp, row: GiftRow): ProviderEvent {
  return {
    ...stamp,
    type: 'voucher.loyalty_card.transaction.created',
    customer_id: row.holder.id,
    subject: joined('transaction', row.id),
    routes: PROJECT,
    payload: () => ({
      transaction: giftRowObject(row),
      voucher: giftVoucher(row),
      campaign: null,
      holder: customerObject(row.holder),
      balance: giftBalance(row),
      order: null
    }),
    facts: () => []
  }
}

export function giftRowObject (row: GiftRow): JsonObject {
  return {
    id: row.id,
    source_id: null,
    voucher_id: row.voucher_id,
    campaign_id: row.campaign_id,
    source: 'API',
    reason: null,
    type: row.type,
    details: { balance: giftBalance(row) },
    related_transaction_id: null,
    created_at: instant(row.at)
  }
}

/** If the voucher does not state its type, only the row's type distinguishes credits from points. */
function giftVoucher (row: GiftRow): JsonObject {
  return {
    id: row.voucher_id,
    code: 'GIFT',
    ...(row.untyped ? {} : { type: 'GIFT_VOUCHER' }),
    gift: { amount: row.balance, balance: row.balance, effect: 'APPLY_TO_ORDER' },
    campaign: 'Gift cards',
    campaign_id: row.campaign_id,
    holder_id: row.holder.id,
    active: true,
    created_at: written(row.holder.created_at),
    object: 'voucher'
  }
}

function giftBalance (row: GiftRow): JsonObject {
  return {
    type: 'gift_voucher',
    total: row.balance,
    object: 'balance',
    amount: row.amount,
    ...(row.untyped ? { points: row.amount } : {}),
    balance: row.balance,
    related_object: { id: row.voucher_id, type: 'voucher' }
  }
}
