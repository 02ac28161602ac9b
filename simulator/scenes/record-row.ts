import type { Micros } from '../clock.ts'
import type { JsonObject } from '../json.ts'
import type { Card, OrderState, Rule, Trigger, Row } from '../model.ts'
import { transactionEvent } from '../payloads/transaction.ts'
import type { Stage } from '../stage.ts'

/** Adds a row to the provider's ledger of a card, and emits its event. @param after since the beginning of the scene */
export function recordRow (stage: Stage, card: Card, row: Row, after?: Micros): void {
  card.rows.push(row)
  stage.emit(transactionEvent(stage.stamp(after), row))
}

/** The details by which a row identifies its award. */
export function awardDetails (order: OrderState, rule: Rule, trigger: Trigger): JsonObject {
  return {
    order: { id: order.id, source_id: order.source_id },
    event: { id: trigger.id, type: 'customer.order.paid' },
    earning_rule: { id: rule.id, source: { banner: rule.banner } }
  }
}
