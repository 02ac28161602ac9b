import type { Family } from './family.ts'
import { adjustment } from './adjustment.ts'
import { award } from './award.ts'
import { card } from './card.ts'
import { customer } from './customer.ts'
import { expiry } from './expiry.ts'
import { exported } from './exported.ts'
import { exportedObject } from './exported-objects.ts'
import { holder } from './holder.ts'
import { order } from './order.ts'
import { pending } from './pending.ts'
import { publication } from './publication.ts'
import { pulled } from './pulled.ts'
import { redemption } from './redemption.ts'
import { rewardRedemption } from './reward-redemption.ts'
import { rollback } from './rollback.ts'
import { tier } from './tier.ts'
import { transaction } from './transaction.ts'

/** Every family we can read. Bare data is recognised in this order. */
export const families: readonly Family[] = [
  award, transaction, expiry, adjustment, pending, rollback, rewardRedemption, order, redemption, customer, tier, card, holder, exported, exportedObject, pulled, publication
]

const byType = new Map(families.flatMap(family => family.types.map(type => [type, family])))

export function familyOf (type: string): Family | undefined {
  return byType.get(type)
}
