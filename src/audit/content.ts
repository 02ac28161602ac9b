import { createHash } from 'node:crypto'
import type { Providers } from '../providers/index.ts'
import type { AuditedEvent } from './log.sql.ts'
import type { ReportFinding } from './finding.ts'
import { compareIdentity } from './identity.ts'
import type { Vouching } from './vouchers.ts'

/**
 * How a row was checked: `erased` rows by their erasure event, `unread` ones as events of a type not read at that time.
 */
export interface Content { erased: boolean, unread: boolean }

/** Checks one row on its own: its body against the digest, the size and the other columns. */
export async function checkContent (row: AuditedEvent, shards: number, isVouched: Vouching, found: ReportFinding, providers?: Providers): Promise<Content> {
  const { shard, position, event_id, subject } = row
  const at = { shard, position, event_id, subject }
  const body = Buffer.from(row.body)
  const digest = createHash('sha256').update(body).digest()
  const erased = row.erased_by !== null

  if (!erased && !digest.equals(row.body_digest)) {
    found({ code: 'DIGEST_MISMATCH', ...at, detail: 'the body is not the one that was received: its sha256 differs from body_digest' })
  }
  if (erased && !await isVouched(row, digest)) {
    found({ code: 'ERASURE_UNVOUCHED', ...at, detail: `the row says that ${JSON.stringify(row.erased_by)} erased its body, but no erasure event with that id lists the present body` })
  }
  if (body.length !== row.body_bytes) {
    found({ code: 'SIZE_MISMATCH', ...at, detail: `the body has ${body.length} bytes, body_bytes says ${row.body_bytes}` })
  }
  const identity = compareIdentity(row, body, shards, providers)
  if (!identity.fits) found({ code: 'IDENTITY_MISMATCH', ...at, detail: identity.detail })
  return { erased, unread: identity.fits && identity.as === 'unread' }
}
