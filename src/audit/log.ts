import { BEFORE_ALL, missingUniqueness, readAuditPage, readLogEnds, type AuditedEvent, type LogEnd } from './log.sql.ts'
import type { Db } from '../postgres/database.ts'
import type { Providers } from '../providers/index.ts'
import type { Anchor } from './anchor.ts'
import { checkContent } from './content.ts'
import type { ReportFinding } from './finding.ts'
import { createVouching, type Vouching } from './vouchers.ts'
import { walkShard, type SignedHead } from './walk.ts'

/** How much was checked. */
export interface LogCounts {
  events: number
  shards: number
  /** Events whose bodies were redacted; their digests are still those of the received bodies. */
  erased: number
  /** Events that were identified by a version of the code that did not yet read their type. */
  unread: number
}

export interface VerifyLogOptions {
  /** An anchor with a valid signature: the log must contain what it signed. */
  against?: Anchor | undefined
  found: ReportFinding
  /** The readers of events; absent: those of all known providers. */
  providers?: Providers | undefined
  /** Called with the number of events before the first page is read. */
  begins?: (events: number) => void
  /** Called with the number of events of each page. */
  progress?: (events: number) => void
}

/**
 * Recomputes the log from its rows: positions, digests, chains, heads, columns. It stops at the heads as they were when
 * it began, so it can run beside appends: each page is its own statement, and no snapshot is held. Memory does not grow
 * with the log.
 */
export async function verifyLog (db: Db, { against, found, providers, begins, progress }: VerifyLogOptions): Promise<LogCounts> {
  for (const columns of await missingUniqueness(db)) {
    found({ code: 'UNGUARDED', shard: null, position: null, event_id: null, subject: null, detail: `ledger.events has no valid unique index on (${columns})` })
  }
  const ends = withLost(await readLogEnds(db), against)
  const shards = ends.filter(({ head }) => head !== null).length
  const counts = { events: 0, shards, erased: 0, unread: 0 }
  begins?.(ends.reduce((sum, { newest }) => sum + Number(newest ?? 0n), 0))
  const isVouched = createVouching(db)
  for (const end of ends) {
    await verifyShard(db, end, signedHead(against, end.shard), { shards, counts, isVouched, found, providers, progress: progress ?? (() => {}) })
  }
  return counts
}

interface Walk { shards: number, counts: LogCounts, isVouched: Vouching, found: ReportFinding, providers: Providers | undefined, progress: (events: number) => void }

async function verifyShard (db: Db, end: LogEnd, signed: SignedHead | undefined, { shards, counts, isVouched, found, providers, progress }: Walk): Promise<void> {
  const walk = walkShard(end, signed, found)
  for await (const page of pagesOf(db, end)) {
    for (const row of page) {
      walk.next(row)
      const { erased, unread } = await checkContent(row, shards, isVouched, found, providers)
      if (erased) counts.erased++
      if (unread) counts.unread++
    }
    counts.events += page.length
    progress(page.length)
  }
  walk.end()
}

/** Yields the pages of a shard, and reads the next one while the caller checks the current one. */
async function * pagesOf (db: Db, { shard, newest }: LogEnd): AsyncGenerator<AuditedEvent[]> {
  if (newest === null) return
  const after = async (position: bigint): Promise<AuditedEvent[]> => await readAuditPage(db, shard, position, newest)
  let coming = after(BEFORE_ALL)
  while (true) {
    const page = await coming
    const last = page.at(-1)
    if (last === undefined) return
    if (last.position === newest) {
      yield page
      return
    }
    coming = after(last.position)
    // Awaited in the next round. If the caller stops before that, an error must not become an unhandled rejection.
    coming.catch(() => {})
    yield page
  }
}

function signedHead (against: Anchor | undefined, shard: number): SignedHead | undefined {
  const signed = against?.shards.find(signed => signed.shard === shard)
  return against === undefined || signed === undefined ? undefined : { ...signed, made_at: against.made_at }
}

/** Adds the shards that only the anchor names. */
function withLost (ends: LogEnd[], against: Anchor | undefined): LogEnd[] {
  const known = new Set(ends.map(({ shard }) => shard))
  const lost = (against?.shards ?? []).filter(({ shard }) => !known.has(shard)).map(({ shard }) => ({ shard, head: null, chain: null, newest: null }))
  return [...ends, ...lost]
}
