import { SimulatorFailure, type Client } from './client.ts'
import { checkCard, type Recording } from './checks/card.ts'
import { checkCustomer } from './checks/customer.ts'
import { checkOrder } from './checks/order.ts'
import { ask } from './checks/ask.ts'
import type { Differences } from './differences.ts'
import { ZERO_ID } from './oddities.ts'
import type { Expectation } from './oracle/expectation.ts'

const WAIT_MS = 10_000
const READERS = 8

/**
 * Waits until all acknowledged positions are projected.
 * @throws SimulatorFailure projection_behind after `limit_ms`
 */
export async function awaitProjection (client: Client, positions: ReadonlyMap<number, bigint>, limit_ms = 300_000): Promise<void> {
  const deadline = performance.now() + limit_ms
  for (const [shard, position] of positions) {
    for (;;) {
      const answer = await ask(client, `/v1/customers?limit=1&min_position=${shard}:${position}&wait_ms=${WAIT_MS}`)
      if (answer.status === 200) break
      if (performance.now() > deadline) {
        throw new SimulatorFailure('projection_behind', `Position ${shard}:${position} was acknowledged and is not projected after ${limit_ms / 1000} s. Does a worker run?`)
      }
    }
  }
}

/**
 * Compares every customer, card, statement and order with what the ledger should say.
 * @param recording when events were acknowledged; undefined: `recorded_at` is not compared
 * @param onCompared after each thing compared
 */
export async function verify (
  client: Client, expected: Expectation, differences: Differences, { recording, onCompared = () => {} }: { recording?: Recording, onCompared?: () => void } = {}
): Promise<void> {
  const tasks: Array<() => Promise<void>> = [
    ...[...expected.customers.values()].map(customer => async () => { await checkCustomer(client, customer, differences) }),
    ...[...expected.cards.values()].map(card => async () => { await checkCard(client, card, recording, differences) }),
    ...[...expected.orders.values()].map(order => async () => { await checkOrder(client, order, differences) }),
    ...['customers/cust', 'cards/v', 'orders/ord'].map(path => async () => { await checkAbsent(client, `/v1/${path}_${ZERO_ID}`, differences) })
  ]
  let next = 0
  await Promise.all(Array.from({ length: READERS }, async () => {
    while (next < tasks.length) {
      await tasks[next++]?.()
      onCompared()
    }
  }))
}

/** How many objects `verify` compares. */
export function sizeOf (expected: Expectation): number {
  return expected.customers.size + expected.cards.size + expected.orders.size + 3
}

/** Test deliveries are never projected. */
async function checkAbsent (client: Client, path: string, differences: Differences): Promise<void> {
  const { status } = await ask(client, path)
  if (status !== 404) differences.add({ about: path, field: 'status', expected: 404, got: status })
}
