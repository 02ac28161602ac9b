import { isUtf8 } from 'node:buffer'
import { knownProviders, type Providers } from '../../providers/index.ts'
import type { Differences } from '../../providers/provider.ts'
import { CONTRADICTS_MOVEMENT, type KeptDelivery, type ListedQuarantine } from './quarantine.sql.ts'
import type { EventRow, QuarantineRow } from '../../postgres/tables.ts'

/** Reasons that name a stored event to compare with. */
const CONTRADICTIONS = ['conflict', CONTRADICTS_MOVEMENT]

/** A quarantine row as lists show it, without its bytes. */
export type ListedDelivery = Omit<ListedQuarantine, 'quarantine_id' | 'shard' | 'position'> & {
  quarantine_id: string
  /** `shard:position` of the stored event that it names; null: none. */
  position: string | null
}

/** A whole quarantine row. Of a conflict: both versions, and how they differ. */
export type DescribedDelivery = ListedDelivery & {
  headers: QuarantineRow['headers']
  /** As received: text where it is UTF-8, else base64. */
  body: string
  body_encoding: 'utf-8' | 'base64'
  stored: { event_id: string, subject: string, position: string, type: string, recorded_at: EventRow['recorded_at'], body_text: string } | null
  differences: Differences | null
}

export function describeListed ({ shard, position, quarantine_id, ...row }: ListedQuarantine): ListedDelivery {
  return { ...row, quarantine_id: String(quarantine_id), position: placeOf(shard, position) }
}

export function describeKept ({ stored, body, body_digest: _, ...row }: KeptDelivery, providers: Providers = knownProviders): DescribedDelivery {
  const text = isUtf8(body)
  const compared = stored !== undefined && CONTRADICTIONS.includes(row.reason) ? providers.named(row.provider)?.differences(Buffer.from(stored.body), body) : undefined
  return {
    ...row,
    quarantine_id: String(row.quarantine_id),
    position: placeOf(stored?.shard ?? null, stored?.position ?? null),
    body_bytes: body.length,
    body: body.toString(text ? 'utf8' : 'base64'),
    body_encoding: text ? 'utf-8' : 'base64',
    stored: stored === undefined
      ? null
      : { event_id: stored.event_id, subject: stored.subject, position: `${stored.shard}:${stored.position}`, type: stored.type, recorded_at: stored.recorded_at, body_text: stored.body },
    differences: compared ?? null
  }
}

function placeOf (shard: number | null, position: bigint | null): string | null {
  return shard === null || position === null ? null : `${shard}:${position}`
}
