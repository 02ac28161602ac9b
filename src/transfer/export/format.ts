import type { EventKey } from '../../log/read.sql.ts'
import type { EventRow } from '../../postgres/tables.ts'

/** The name and version of the format, in the first line of a file. */
export const EXPORTED_LEDGER = 'loyalty-ledger/1'

/** The first line. `events`: the number of lines between the first and the last one. */
export interface Header { export: string, shards: number, events: number, exported_at: string }

/** What the body of an event does not state: how it was named, who sent it, its place, and when it was first stored. */
export type Exported = EventKey & { provider: string, position: string, recorded_at: string }

/** The last line. `sha256`: over all lines before it, line ends included. A file without it was cut off. */
export interface Trailer { end: { events: number, sha256: string } }

export type ExportedRow = EventKey & Pick<EventRow, 'provider' | 'shard' | 'position' | 'recorded_at' | 'body'>

export function headerLine (header: Omit<Header, 'export'>): string {
  return `${JSON.stringify({ export: EXPORTED_LEDGER, ...header } satisfies Header)}\n`
}

/**
 * The body as text inside the line: it can hold line breaks, repeated keys and numbers of any size, and its digest must
 * not change.
 */
export function eventLine ({ event_id, subject, provider, shard, position, recorded_at, body }: ExportedRow): string {
  const exported: Exported = { event_id, subject, provider, position: `${shard}:${position}`, recorded_at }
  return `${JSON.stringify({ exported, body })}\n`
}

export function trailerLine (end: Trailer['end']): string {
  return `${JSON.stringify({ end } satisfies Trailer)}\n`
}
