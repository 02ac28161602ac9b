import type { OrderObservation } from '../../ledger/facts.ts'
import { groupBy } from '../../ledger/group-by.ts'
import { compareStates, compareOrderObservations, statusRank } from '../../ledger/orders.ts'
import { compareText } from '../../ledger/text.ts'
import { writeOrders, type KeptState } from './rows.sql.ts'
import { observedOf, type Projection, type Observed } from '../../engine/projection.ts'

/** Orders: every observed state, and the newest one as the order itself. */
export const orders: Projection = {
  name: 'orders',
  version: 3,
  entity: 'order',
  tables: [
    { name: 'orders', about: 'order_id', key: ['order_id'] },
    { name: 'order_states', about: 'order_id', key: ['order_id', 'updated_at', 'status_rank', 'state_digest'] }
  ],
  async apply (trx, observed) {
    const states = observedOf(observed, 'order').map(stateOf)
    if (states.length === 0) return
    await writeOrders(trx, markNewest(earliestObservations(states)))
  }
}

// Property by property: spreading one object into another would take longer than everything else here.
function stateOf ({ fact, event_id, subject, recorded_at }: Observed<OrderObservation>): KeptState {
  return {
    order_id: fact.order_id,
    customer_id: fact.customer_id,
    source_id: fact.source_id,
    status: fact.status,
    amount: fact.amount,
    initial_amount: fact.initial_amount,
    discount_amount: fact.discount_amount,
    items_discount_amount: fact.items_discount_amount,
    total_discount_amount: fact.total_discount_amount,
    total_amount: fact.total_amount,
    items: fact.items,
    metadata: fact.metadata,
    created_at: fact.created_at,
    updated_at: fact.updated_at,
    state_digest: fact.state_digest,
    status_rank: statusRank(fact.status),
    recorded_at,
    event_id,
    subject,
    newest: false
  }
}

function earliestObservations (states: readonly KeptState[]): KeptState[] {
  const same = groupBy(states, state => `${state.order_id}\n${state.updated_at}\n${state.status_rank}\n${state.state_digest}`)
  return inKeyOrder([...same.values()].map(group => group.reduce((a, b) => compareOrderObservations(a, b) <= 0 ? a : b)))
}

/** Marks the newest state of each order: the last one of the order, as the states are in key order. */
function markNewest (states: KeptState[]): KeptState[] {
  for (const [index, state] of states.entries()) state.newest = states[index + 1]?.order_id !== state.order_id
  return states
}

// Two shards can write the same rows. Writing them in one order keeps two steps from deadlocking.
function inKeyOrder (states: KeptState[]): KeptState[] {
  return states.sort((a, b) => compareText(a.order_id, b.order_id) || compareStates(a, b))
}
