import type { JsonObject } from '../event.ts'
import type { OrderState, Rule, Trigger } from '../model.ts'

/** What a ledger row says of the award it books. */
export function awardDetails (order: OrderState, rule: Rule, trigger: Trigger): JsonObject {
  return {
    order: { id: order.id, source_id: order.source_id },
    event: { id: trigger.id, type: 'customer.order.paid' },
    earning_rule: { id: rule.id, source: { banner: rule.banner } }
  }
}
