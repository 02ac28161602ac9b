import type { Client } from '../client.ts'
import type { Delivery } from '../delivery.ts'
import type { Differences } from '../differences.ts'
import { ask, askOrBeRefused, isRefusal } from './reading.ts'

/** Deliveries of the same bytes that the server set aside, and how often. */
export interface SetAside { delivery: Delivery, times: number }

/**
 * Looks at every row that the server named: that it is there with the bytes and the reason, and that no two bodies share one.
 * @param asides by the quarantine id that was answered
 * @returns why nothing was compared, or nothing
 */
export async function checkQuarantine (client: Client, asides: ReadonlyMap<string, SetAside>, differences: Differences): Promise<string | undefined> {
  if (asides.size === 0) return undefined
  if (isRefusal(await askOrBeRefused(client, '/v1/quarantine?limit=1'))) return 'The quarantine was not compared: the key given with --key is not of scope operate.'
  const got = new Map<string, number>()
  const expected = new Map<string, number>()
  for (const [quarantine_id, { delivery, times }] of asides) {
    const reason = await checkRow(client, quarantine_id, delivery, times, differences)
    count(got, reason)
    count(expected, delivery.reason ?? 'none')
  }
  for (const reason of new Set([...expected.keys(), ...got.keys()])) {
    const [wanted, found] = [expected.get(reason) ?? 0, got.get(reason) ?? 0]
    if (wanted !== found) differences.add({ about: 'quarantine', field: reason, expected: wanted, got: found })
  }
  return undefined
}

type Row = { reason: string, state: string, times_seen: number, body: string, body_encoding: string }

async function checkRow (client: Client, quarantine_id: string, delivery: Delivery, times: number, differences: Differences): Promise<string> {
  const about = `quarantine ${quarantine_id}`
  const answer = await ask(client, `/v1/quarantine/${encodeURIComponent(quarantine_id)}`)
  if (answer.status !== 200) {
    differences.add({ about, field: 'row', expected: delivery.reason, got: 'not found' })
    return 'not found'
  }
  const row = answer.json as Row
  if (row.body_encoding !== 'utf-8' || row.body !== delivery.body.toString()) differences.add({ about, field: 'body', expected: 'as it was sent', got: 'other bytes' })
  if (row.times_seen < times) differences.add({ about, field: 'times_seen', expected: `${times} or more`, got: row.times_seen })
  // What a person decided in between is theirs to decide.
  return row.state === 'open' ? row.reason : delivery.reason ?? 'none'
}

function count (counts: Map<string, number>, reason: string): void {
  counts.set(reason, (counts.get(reason) ?? 0) + 1)
}
