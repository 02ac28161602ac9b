import { knownProviders } from '../providers/index.ts'
import type { EventReader, IdentifiedDelivery, Unusable } from '../providers/provider.ts'
import type { Providers } from '../providers/registry.ts'
import type { AuditedEvent } from './log.sql.ts'
import { shardOf } from '../log/shards.sql.ts'

/** How the columns of an event fit its body. */
export type Identity =
  | { fits: true, as: 'now' | 'unread' }
  | { fits: false, detail: string }

/** What names an event; also after its body was erased. */
const KEPT = ['event_id', 'subject', 'type', 'customer_id', 'occurred_at', 'test'] as const
const SENT = ['send_out_id', 'sender_kind', 'sender_id', 'group_id', 'project_id', 'channel'] as const
const ALL = [...KEPT, ...SENT] as const

/**
 * Reads a body again and compares what it names with the columns, which the chain does not cover. An event stored before its
 * type was read fits, too, as such: rules for new types are added, and stored events keep their names.
 * An erased body is compared only in what erasure keeps.
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
      ? `this version cannot read from the body which event it is (${now.reason}: ${now.detail})`
      : `the body, as this version reads it, disagrees: ${differing.join('; ')}`
  }
}

function read (reading: EventReader['identify'], body: Buffer): IdentifiedDelivery | Unusable | { reason: 'defect', detail: string } {
  try {
    return reading(body)
  } catch (error) {
    return { reason: 'defect', detail: (error as Error).message }
  }
}

// Without an object for either side: this runs for every event of the log.
function differences (row: AuditedEvent, observed: IdentifiedDelivery, shards: number): string[] {
  const erased = row.erased_by !== null
  const differing: string[] = []
  const compare = (column: string, stored: unknown, should: unknown): void => {
    if (stored !== should) differing.push(`${column} is ${JSON.stringify(stored)}, should be ${JSON.stringify(should)}`)
  }
  for (const column of erased ? KEPT : ALL) compare(column, row[column], observed[column])
  compare('shard', row.shard, shardOf(observed.shard_key, shards))
  if (!erased) compare('fact_digest', row.fact_digest.toString('hex'), observed.fact_digest)
  return differing
}
