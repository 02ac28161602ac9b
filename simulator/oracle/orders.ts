import type { OrderFact, OrderStatus } from '../facts.ts'
import { compare } from './movements.ts'

type ExpectedState = Omit<OrderFact, 'fact' | 'order_id' | 'customer_id'>

export interface ExpectedOrder extends ExpectedState {
  order_id: string
  customer_id: string
  /** Oldest first. */
  states: ExpectedState[]
}

const RANK: Record<OrderStatus, number> = { CREATED: 0, PAID: 1, FULFILLED: 2, CANCELED: 3 }

/** An order, from all observations of it. */
export function orderOf (observations: readonly OrderFact[]): ExpectedOrder {
  const distinct = new Map(observations.map(observation => [JSON.stringify([observation.updated_at, observation.status, observation.amount, observation.items, observation.metadata]), observation]))
  const ordered = [...distinct.values()].sort((a, b) => compare(a.updated_at, b.updated_at) || RANK[a.status] - RANK[b.status])
  const newest = ordered.at(-1)
  if (newest === undefined) throw new RangeError('an order needs at least one observation')
  return { ...stateOf(newest), order_id: newest.order_id, customer_id: newest.customer_id, states: ordered.map(stateOf) }
}

function stateOf ({ fact: _, order_id: __, customer_id: ___, ...state }: OrderFact): ExpectedState {
  return state
}
