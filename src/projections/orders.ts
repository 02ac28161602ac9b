import type { OrderSighting } from '../ledger/facts.ts'
import { groupBy } from '../ledger/group.ts'
import { compareStates, compareTellings, statusRank, type OrderState } from '../ledger/orders.ts'
import { compareText } from '../ledger/text.ts'
import { writeOrders, writeStates } from '../store/write-orders.ts'
import { toldOf, type Projection, type Told } from './projection.ts'

/** Orders: every observed state, and the newest one as the order itself. */
export const orders: Projection = {
  name: 'orders',
  version: 1,
  entity: 'order',
  tables: [
    { name: 'orders', about: 'order_id', key: ['order_id'] },
    { name: 'order_states', about: 'order_id', key: ['order_id', 'updated_at', 'status_rank', 'state_digest'] }
  ],
  async apply (trx, told) {
    const states = toldOf(told, 'order').map(observed)
    if (states.length === 0) return
    await writeStates(trx, earliestTellings(states))
    await writeOrders(trx, newestStates(states))
  }
}

function observed ({ fact, event_id, subject, recorded_at }: Told<OrderSighting>): OrderState {
  return { ...fact, status_rank: statusRank(fact.status), recorded_at, event_id, subject }
}

function earliestTellings (states: readonly OrderState[]): OrderState[] {
  const same = groupBy(states, state => `${state.order_id}\n${state.updated_at}\n${state.status_rank}\n${state.state_digest}`)
  return inKeyOrder([...same.values()].map(group => group.reduce((a, b) => compareTellings(a, b) <= 0 ? a : b)))
}

function newestStates (states: readonly OrderState[]): OrderState[] {
  const byOrder = groupBy(states, state => state.order_id)
  return inKeyOrder([...byOrder.values()].map(group => group.reduce((a, b) => compareStates(a, b) >= 0 ? a : b)))
}

// Rows that two shards can touch are written in one order, or two steps could wait for each other.
function inKeyOrder (states: OrderState[]): OrderState[] {
  return states.sort((a, b) => compareText(a.order_id, b.order_id) || compareStates(a, b))
}
