import { createHash } from 'node:crypto'
import type { Providers } from '../providers/registry.ts'
import type { AuditedEvent } from './log.sql.ts'
import type { Found } from './finding.ts'
import { compareIdentity } from './identity.ts'
import type { Vouching } from './vouchers.ts'

/** What an event turned out to be, where its content is right. */
export interface Content { erased: boolean, unread: boolean }

/** Checks a row by itself: its body against the digest, the size and the columns. */
export async function checkContent (row: AuditedEvent, shards: number, isVouched: Vouching, found: Found, providers?: Providers): Promise<Content> {
  const { shard, position, event_id, subject } = row
  const at = { shard, position, event_id, subject }
  const body = Buffer.from(row.body)
  const digest = createHash('sha256').update(body).digest()
  const erased = row.erased_by !== null

  if (!erased && !digest.equals(row.body_digest)) {
    found({ code: 'DIGEST_MISMATCH', ...at, detail: 'the body is not the one that was received: its sha256 is another than body_digest' })
  }
  if (erased && !await isVouched(row, digest)) {
    found({ code: 'ERASURE_UNVOUCHED', ...at, detail: `the body counts as erased by ${JSON.stringify(row.erased_by)}, and no erasure event of that id lists it as it is now` })
  }
  if (body.length !== row.body_bytes) {
    found({ code: 'SIZE_MISMATCH', ...at, detail: `the body has ${body.length} bytes, body_bytes says ${row.body_bytes}` })
  }
  const identity = compareIdentity(row, body, shards, providers)
  if (!identity.fits) found({ code: 'IDENTITY_MISMATCH', ...at, detail: identity.detail })
  return { erased, unread: identity.fits && identity.as === 'unread' }
}
