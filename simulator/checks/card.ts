import type { Client } from '../client.ts'
import type { Differences } from '../differences.ts'
import type { ExpectedLine } from '../oracle/card.ts'
import type { ExpectedCard } from '../oracle/expectation.ts'
import { ask } from './ask.ts'

const SUMS = ['balance', 'opening', 'earned', 'spent', 'refunded', 'expired', 'adjusted', 'transferred', 'unexplained', 'pending', 'pending_unexplained', 'balance_stated_at'] as const
export const CARD = [...SUMS, 'code', 'campaign_id', 'campaign', 'last_movement_at']
const CARD_ITSELF = [...CARD, 'customer_id', 'active', 'deleted_at']
const LINE = ['kind', 'points', 'balance', 'reported_balance', 'observed', 'occurred_at', 'dated_at', 'order_id', 'earning_rule_id']

/** When an event was first acknowledged, on the server's clock; `fresh`: it was stored in this run. */
export interface Acknowledgement { acknowledged_ms: number, fresh: boolean }

/** Bounds for `recorded_at`: when the run began, and for each event key when it was acknowledged. */
export interface Recording { began_ms: number, acknowledgements: ReadonlyMap<string, Acknowledgement> }

type GotLine = ExpectedLine & { recorded_at: string }

/** Compares a card, its sums and its statement. */
export async function checkCard (client: Client, expected: ExpectedCard, recording: Recording | undefined, differences: Differences): Promise<void> {
  const about = `card ${expected.card_id}`
  const path = `/v1/cards/${encodeURIComponent(expected.card_id)}`
  const answer = await ask(client, path)
  if (answer.status === 404) {
    differences.add({ about, field: 'card', expected: `${expected.lines.length} lines`, got: 'not found' })
    return
  }
  differences.compare(about, { ...expected, customer_id: expected.holder }, answer.json as object, CARD_ITSELF)
  const lines = await readStatement(client, path)
  compareLines(about, expected.lines, lines.reverse(), recording, differences)
}

async function readStatement (client: Client, path: string): Promise<GotLine[]> {
  const lines: GotLine[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const answer = await ask(client, `${path}/statement?limit=500${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`)
    const page = answer.json as { items: GotLine[], next_cursor: string | null }
    lines.push(...page.items)
    cursor = page.next_cursor
  }
  return lines
}

function compareLines (
  about: string, expected: readonly ExpectedLine[], got: readonly GotLine[], recording: Recording | undefined, differences: Differences
): void {
  const found = new Map(got.map(line => [line.movement_id, line]))
  for (const line of expected) {
    const other = found.get(line.movement_id)
    const which = `${about}, line ${line.movement_id}`
    if (other === undefined) differences.add({ about, field: `line ${line.movement_id}`, expected: `${line.kind} ${line.points}`, got: 'missing' })
    else {
      differences.compare(which, line, other, line.event_id === undefined ? LINE : [...LINE, 'event_id'])
      if (recording !== undefined) compareTime(which, line, other, recording, differences)
    }
    found.delete(line.movement_id)
  }
  for (const line of found.values()) differences.add({ about, field: `line ${line.movement_id}`, expected: 'no such line', got: `${line.kind} ${line.points}` })
  const [order, gotOrder] = [expected, got].map(lines => lines.map(line => line.movement_id))
  if (expected.length === got.length && found.size === 0 && String(order) !== String(gotOrder)) {
    const at = order?.findIndex((id, index) => gotOrder?.[index] !== id) ?? 0
    differences.add({ about, field: `place ${at + 1} of the statement`, expected: order?.[at], got: gotOrder?.[at] })
  }
}

/** The server states its time to the second, and its database may have another clock. */
const SLACK_MS = 2000

/**
 * A line's `recorded_at` is before the first acknowledgement of an event that states it, and within this run if all of
 * these events are fresh.
 */
function compareTime (about: string, { observed_in }: ExpectedLine, { recorded_at }: GotLine, { began_ms, acknowledgements }: Recording, differences: Differences): void {
  const observations = observed_in.flatMap(key => acknowledgements.get(key) ?? [])
  if (observations.length === 0) return
  const recorded_ms = Date.parse(recorded_at)
  const latest_ms = Math.min(...observations.map(({ acknowledged_ms }) => acknowledged_ms)) + SLACK_MS
  if (!Number.isFinite(latest_ms)) return
  // Negated, so that NaN (not a time) is a difference too.
  if (!(recorded_ms <= latest_ms)) differences.add({ about, field: 'recorded_at', expected: `not after ${new Date(latest_ms).toISOString()}`, got: recorded_at })
  if (observations.every(({ fresh }) => fresh) && !(recorded_ms >= began_ms - SLACK_MS)) {
    differences.add({ about, field: 'recorded_at', expected: `not before ${new Date(began_ms - SLACK_MS).toISOString()}`, got: recorded_at })
  }
}
