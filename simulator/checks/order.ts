import type { Client } from '../client.ts'
import type { Differences } from '../differences.ts'
import type { ExpectedOrder } from '../oracle/orders.ts'
import { ask } from './ask.ts'

const STATE = [
  'status', 'amount', 'initial_amount', 'discount_amount', 'total_discount_amount', 'total_amount', 'items', 'metadata', 'created_at', 'updated_at'
]

/** Compares an order and every observed state of it. */
export async function checkOrder (client: Client, expected: ExpectedOrder, differences: Differences): Promise<void> {
  const about = `order ${expected.order_id}`
  const answer = await ask(client, `/v1/orders/${encodeURIComponent(expected.order_id)}`)
  if (answer.status === 404) {
    differences.add({ about, field: 'order', expected: expected.status, got: 'not found' })
    return
  }
  const got = answer.json as ExpectedOrder
  differences.compare(about, expected, got, [...STATE, 'customer_id', 'source_id'])
  if (expected.states.length !== got.states.length) {
    differences.add({ about, field: 'states', expected: statuses(expected), got: statuses(got) })
    return
  }
  for (const [index, state] of expected.states.entries()) differences.compare(`${about}, state ${index + 1}`, state, got.states[index] ?? {}, STATE)
}

function statuses ({ states }: ExpectedOrder): string {
  return states.map(({ status }) => status).join(' ')
}
