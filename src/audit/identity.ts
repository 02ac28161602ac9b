import { knownProviders, type Providers } from '../providers/index.ts'
import type { EventReader, IdentifiedDelivery, Unusable } from '../providers/provider.ts'
import type { AuditedEvent } from './log.sql.ts'
import { shardOf } from '../log/shards.sql.ts'

/** Whether the columns of an event match its body. */
export type Identity =
  | { fits: true, as: 'now' | 'unread' }
  | { fits: false, detail: string }

/** Columns that can be derived from the body even after erasure. */
const KEPT = ['event_id', 'subject', 'type', 'customer_id', 'occurred_at', 'test'] as const
const SENT = ['send_out_id', 'sender_kind', 'sender_id', 'group_id', 'project_id', 'channel'] as const
const ALL = [...KEPT, ...SENT] as const

/**
 * Identifies the event from its body again and compares the result with the columns, which the chain does not cover. An
 * event that was stored before this code read its type also matches, as `unread`: when a rule for a new type is added,
 * stored events keep the identity they were given. For an erased body only the columns that erasure keeps are compared.
 */
export function compareIdentity (row: AuditedEvent, body: Buffer, shards: number, providers: Providers = knownProviders): Identity {
  const reader = providers.readerNamed(row.provider)
  if (reader === undefined) return { fits: false, detail: `this version has no reader for events of the provider ${JSON.stringify(row.provider)}` }
  const now = read(reader.identify, body)
  const differing = 'reason' in now ? [] : differences(row, now, shards)
  if (!('reason' in now) && differing.length === 0) return { fits: true, as: 'now' }
  const unread = reader.identifyAsUnread === undefined ? undefined : read(reader.identifyAsUnread, body)
  if (unread !== undefined && !('reason' in unread) && differences(row, unread, shards).length === 0) return { fits: true, as: 'unread' }
  return {
    fits: false,
    detail: 'reason' in now
      ? `this version cannot identify the event from its body (${now.reason}: ${now.detail})`
      : `the columns contradict the body as this version reads it: ${differing.join('; ')}`
  }
}

function read (reading: EventReader['identify'], body: Buffer): IdentifiedDelivery | Unusable | { reason: 'defect', detail: string } {
  try {
    return reading(body)
  } catch (error) {
    return { reason: 'defect', detail: (error as Error).message }
  }
}

// Builds no object for either side: this runs for every event of the log.
function differences (row: AuditedEvent, identified: IdentifiedDelivery, shards: number): string[] {
  const erased = row.erased_by !== null
  const differing: string[] = []
  const expect = (column: string, stored: unknown, expected: unknown): void => {
    if (stored !== expected) differing.push(`${column} is ${JSON.stringify(stored)}, should be ${JSON.stringify(expected)}`)
  }
  for (const column of erased ? KEPT : ALL) expect(column, row[column], identified[column])
  expect('shard', row.shard, shardOf(identified.shard_key, shards))
  if (!erased) expect('fact_digest', row.fact_digest.toString('hex'), identified.fact_digest)
  return differing
}
