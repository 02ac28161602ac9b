import type { Micros } from '../clock.ts'
import type { JsonObject } from '../event.ts'
import type { Card, OrderState, Rule, Trigger } from '../model.ts'
import { transactionEvent, type Row } from '../payloads/transaction.ts'
import type { Stage } from '../stage.ts'

/** Enters a row in the provider's ledger of a card, and tells it. @param after the scene's beginning */
export function tellRow (stage: Stage, card: Card, row: Row, after?: Micros): void {
  card.rows.push(row)
  stage.tell(transactionEvent(stage.stamp(after), row))
}

/** What a ledger row says of the award it books. */
export function awardDetails (order: OrderState, rule: Rule, trigger: Trigger): JsonObject {
  return {
    order: { id: order.id, source_id: order.source_id },
    event: { id: trigger.id, type: 'customer.order.paid' },
    earning_rule: { id: rule.id, source: { banner: rule.banner } }
  }
}
