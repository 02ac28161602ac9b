import type { Client } from '../client.ts'
import type { Delivery } from '../delivery.ts'
import type { Differences } from '../differences.ts'
import { ask, askOrBeRefused, isRefusal } from './ask.ts'

/** Deliveries of the same bytes that the server quarantined, and how often they were sent. */
export interface QuarantinedDelivery { delivery: Delivery, times: number }

/**
 * Compares every quarantine row that the server named: its bytes and reason, and that no two bodies share a row.
 * @param quarantined by the quarantine id of the answer
 * @returns why nothing was compared; undefined if it was
 */
export async function checkQuarantine (client: Client, quarantined: ReadonlyMap<string, QuarantinedDelivery>, differences: Differences): Promise<string | undefined> {
  if (quarantined.size === 0) return undefined
  if (isRefusal(await askOrBeRefused(client, '/v1/quarantine?limit=1'))) return 'The quarantine was not compared: the key given with --key is not of scope operate.'
  const got = new Map<string, number>()
  const expected = new Map<string, number>()
  for (const [quarantine_id, { delivery, times }] of quarantined) {
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
  // A row that an operator decided in between is as expected.
  return row.state === 'open' ? row.reason : delivery.reason ?? 'none'
}

function count (counts: Map<string, number>, reason: string): void {
  counts.set(reason, (counts.get(reason) ?? 0) + 1)
}
