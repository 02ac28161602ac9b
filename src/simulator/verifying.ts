import { SimulatorFailure, type Answer, type Client } from './client.ts'
import type { Differences } from './differences.ts'
import { ZERO_ID } from './oddities.ts'
import type { ExpectedCard, Expectation, ExpectedCustomer } from './oracle/expectation.ts'
import type { ExpectedLine } from './oracle/card.ts'
import type { ExpectedOrder } from './oracle/orders.ts'

const SUMS = ['balance', 'opening', 'earned', 'spent', 'refunded', 'expired', 'adjusted', 'transferred', 'unexplained', 'pending'] as const
const CARD = [...SUMS, 'code', 'campaign_id', 'campaign', 'last_movement_at']
const LINE = ['kind', 'points', 'balance', 'reported_balance', 'occurred_at', 'order_id', 'earning_rule_id']
const STATE = ['status', 'amount', 'discount_amount', 'total_discount_amount', 'total_amount', 'created_at', 'updated_at']

const WAIT_MS = 10_000
const READERS = 8

/**
 * Waits until everything acknowledged is projected.
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
 * @param onCompared after each thing compared
 */
export async function verify (client: Client, expected: Expectation, differences: Differences, onCompared: () => void = () => {}): Promise<void> {
  const tasks: Array<() => Promise<void>> = [
    ...[...expected.customers.values()].map(customer => async () => { await verifyCustomer(client, customer, differences) }),
    ...[...expected.cards.values()].map(card => async () => { await verifyCard(client, card, differences) }),
    ...[...expected.orders.values()].map(order => async () => { await verifyOrder(client, order, differences) }),
    ...['customers/cust', 'cards/v', 'orders/ord'].map(path => async () => { await verifyAbsent(client, `/v1/${path}_${ZERO_ID}`, differences) })
  ]
  let next = 0
  await Promise.all(Array.from({ length: READERS }, async () => {
    while (next < tasks.length) {
      await tasks[next++]?.()
      onCompared()
    }
  }))
}

/** How many things `verify` compares. */
export function sizeOf (expected: Expectation): number {
  return expected.customers.size + expected.cards.size + expected.orders.size + 3
}

async function verifyCustomer (client: Client, expected: ExpectedCustomer, differences: Differences): Promise<void> {
  const about = `customer ${expected.customer_id}`
  const answer = await ask(client, `/v1/customers/${encodeURIComponent(expected.customer_id)}/balance`)
  if (answer.status === 404) {
    // Somebody who was only mentioned may be unknown; a holder may not.
    if (expected.cards.length > 0) differences.add({ about, field: 'customer', expected: `holds ${expected.cards.length} cards`, got: 'not found' })
    return
  }
  const got = answer.json as ExpectedCustomer
  differences.compare(about, expected, got, ['balance', 'pending', 'unexplained', ...(expected.source_id === null ? [] : ['source_id'])])
  const cards = new Map(got.cards.map(card => [card.card_id, card]))
  for (const card of expected.cards) {
    const found = cards.get(card.card_id)
    if (found === undefined) differences.add({ about, field: `card ${card.card_id}`, expected: 'held', got: 'not held' })
    else differences.compare(`${about}, card ${card.card_id}`, card, found, CARD)
    cards.delete(card.card_id)
  }
  for (const card_id of cards.keys()) differences.add({ about, field: `card ${card_id}`, expected: 'not held', got: 'held' })
}

async function verifyCard (client: Client, expected: ExpectedCard, differences: Differences): Promise<void> {
  const about = `card ${expected.card_id}`
  const path = `/v1/cards/${encodeURIComponent(expected.card_id)}`
  const answer = await ask(client, path)
  if (answer.status === 404) {
    if (expected.lines.length > 0) differences.add({ about, field: 'card', expected: `${expected.lines.length} lines`, got: 'not found' })
    return
  }
  differences.compare(about, { ...expected, customer_id: expected.holder }, answer.json as object, [...CARD, 'customer_id'])
  const lines = await readStatement(client, path)
  compareLines(about, expected.lines, lines.reverse(), differences)
}

async function readStatement (client: Client, path: string): Promise<ExpectedLine[]> {
  const lines: ExpectedLine[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const answer = await ask(client, `${path}/movements?limit=500${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`)
    const page = answer.json as { items: ExpectedLine[], next_cursor: string | null }
    lines.push(...page.items)
    cursor = page.next_cursor
  }
  return lines
}

function compareLines (about: string, expected: readonly ExpectedLine[], got: readonly ExpectedLine[], differences: Differences): void {
  const found = new Map(got.map(line => [line.movement_id, line]))
  for (const line of expected) {
    const other = found.get(line.movement_id)
    if (other === undefined) differences.add({ about, field: `line ${line.movement_id}`, expected: `${line.kind} ${line.points}`, got: 'missing' })
    else differences.compare(`${about}, line ${line.movement_id}`, line, other, LINE)
    found.delete(line.movement_id)
  }
  for (const line of found.values()) differences.add({ about, field: `line ${line.movement_id}`, expected: 'no such line', got: `${line.kind} ${line.points}` })
  const [order, gotOrder] = [expected, got].map(lines => lines.map(line => line.movement_id))
  if (expected.length === got.length && found.size === 0 && String(order) !== String(gotOrder)) {
    const at = order?.findIndex((id, index) => gotOrder?.[index] !== id) ?? 0
    differences.add({ about, field: `place ${at + 1} of the statement`, expected: order?.[at], got: gotOrder?.[at] })
  }
}

async function verifyOrder (client: Client, expected: ExpectedOrder, differences: Differences): Promise<void> {
  const about = `order ${expected.order_id}`
  const answer = await ask(client, `/v1/orders/${encodeURIComponent(expected.order_id)}`)
  if (answer.status === 404) {
    differences.add({ about, field: 'order', expected: expected.status, got: 'not found' })
    return
  }
  const got = answer.json as ExpectedOrder
  differences.compare(about, expected, got, [...STATE, 'customer_id'])
  if (expected.states.length !== got.states.length) {
    differences.add({ about, field: 'states', expected: statuses(expected), got: statuses(got) })
    return
  }
  for (const [index, state] of expected.states.entries()) differences.compare(`${about}, state ${index + 1}`, state, got.states[index] ?? {}, STATE)
}

function statuses ({ states }: ExpectedOrder): string {
  return states.map(({ status }) => status).join(' ')
}

/** Test deliveries are never projected. */
async function verifyAbsent (client: Client, path: string, differences: Differences): Promise<void> {
  const { status } = await ask(client, path)
  if (status !== 404) differences.add({ about: path, field: 'status', expected: 404, got: status })
}

/** A read that is tried again while the server is busy. @throws SimulatorFailure read_refused */
async function ask (client: Client, path: string): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    const answer = await client.get(path)
    if (answer.status === 200 || answer.status === 404 || answer.status === 504) return answer
    if (answer.status === 503 && attempt < 10) continue
    const { detail } = (answer.json ?? {}) as { detail?: unknown }
    const keyHint = answer.status === 401 || answer.status === 403 ? ' Give an API key of scope read with --key.' : ''
    throw new SimulatorFailure('read_refused', `The server answered ${answer.status} to ${path}: ${typeof detail === 'string' ? detail : 'no reason given'}${keyHint}`)
  }
}
