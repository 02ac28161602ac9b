import { randomUUID } from 'node:crypto'
import type { Config } from '../config.ts'
import { describeKept, describeListed, type DescribedDelivery, type ListedDelivery } from '../ingest/quarantine/describe.ts'
import { redrive, redriveAll, type Redriven } from '../ingest/quarantine/redrive.ts'
import { CONTRADICTS_MOVEMENT, countOpen, findQuarantined, listQuarantine, markDiscarded, MAX_QUARANTINE_ID, type QuarantineState } from '../ingest/quarantine/quarantine.sql.ts'
import { markNumbers, unmarkNumbers } from '../ledger/json-numbers.ts'
import { CommandError } from '../app/errors.ts'
import { withLedger } from '../app/open.ts'
import { writeResult, writeList, table, type Output } from '../app/output.ts'
import type { Db } from '../postgres/database.ts'

const BY = 'command line'
const PAGE_ROWS = 500
const MAX_REASON_CHARACTERS = 1000
const DETAIL_CHARACTERS = 80

interface QuarantineChoice { state: QuarantineState, reason?: string | undefined }

/** `quarantine list`: prints all rows of a state, however many there are. */
export async function quarantineListCommand (config: Config, output: Output, options: QuarantineChoice): Promise<void> {
  const decision = { open: 'contradicts', redriven: 'stored at', discarded: 'discarded because' }[options.state]
  await withLedger(config, async db => {
    await writeList(output, walkQuarantine(db, options), {
      item: plain,
      head: ['id', 'reason', 'seen', 'last_seen_at', decision, 'detail'],
      cells: row => [
        row.quarantine_id, row.reason, String(row.times_seen), row.last_seen_at, row.discard_reason ?? row.position ?? '',
        oneLine(row.detail).slice(0, DETAIL_CHARACTERS)
      ].map(tame),
      empty: `Nothing ${options.state} is in quarantine.`
    })
  })
}

async function * walkQuarantine (db: Db, options: QuarantineChoice): AsyncGenerator<ListedDelivery> {
  for (let after = 0n; ;) {
    const page = await listQuarantine(db, { ...options, after, limit: PAGE_ROWS })
    yield * page.map(describeListed)
    const last = page.at(-1)
    if (last === undefined || page.length < PAGE_ROWS) return
    after = last.quarantine_id
  }
}

/** `quarantine show ID`: prints one row with its bytes, and for a conflict how it differs from the stored event. */
export async function quarantineShowCommand (config: Config, output: Output, id: string): Promise<void> {
  const kept = await withLedger(config, async db => await findQuarantined(db, idOf(id)))
  if (kept === undefined) throw unknownRow(id)
  const row = describeKept(kept)
  writeResult(output, plain(row), tame(shown(row)))
}

/** `quarantine redrive ID…` or `--all`: processes the stored bytes again, with this version of the code. */
export async function quarantineRedriveCommand (config: Config, output: Output, ids: readonly string[], options: { all: boolean, reason?: string | undefined }): Promise<void> {
  if (options.all === (ids.length > 0)) throw new CommandError('ids_missing', 'Say which: ids as `quarantine list` shows them, or --all.')
  if (options.reason !== undefined && !options.all) throw new CommandError('reason_without_all', '--filter-reason narrows --all down; with ids it says nothing. Leave one of them out.')
  const wanted = [...new Set(ids.map(idOf))]
  const fates: Array<{ quarantine_id: string } & Redriven> = []
  let left_out = 0
  await withLedger(config, async (_db, { openIngest }) => {
    const intake = openIngest()
    const note = (quarantine_id: bigint, redriven: Redriven): void => {
      fates.push({ quarantine_id: String(quarantine_id), ...redriven })
      if (!output.json && redriven.status !== 'redriven') output.progress(tame(`${quarantine_id}: ${oneLine(fate(redriven))}`))
    }
    if (options.all) await redriveAll(intake, BY, { reason: options.reason }, note)
    if (options.all && options.reason === undefined) left_out = await countOpen(intake.db, CONTRADICTS_MOVEMENT)
    for (const id of wanted) note(id, await redrive(id, BY, intake))
  }, { role: config.DATABASE_ROLE })
  const redriven = fates.filter(({ status }) => status === 'redriven').length
  const remaining = fates.filter(({ status }) => status === 'still_unusable' || status === 'still_conflicting').length
  const untouched = fates.length - redriven - remaining
  const summary = [
    `Redriven: ${redriven}. Still unusable: ${remaining}.`,
    ...(untouched > 0 ? [`Not open or unknown: ${untouched}.`] : []),
    ...(left_out > 0 ? [`Left out: ${left_out} that contradict movements; look at them (\`quarantine list --filter-reason ${CONTRADICTS_MOVEMENT}\`) and redrive them by their ids, or discard them.`] : [])
  ]
  writeResult(output, { redriven, still_unusable: remaining, not_open: untouched, left_out, items: fates }, summary.join(' '))
  // With --all, a row that somebody else has redriven or discarded meanwhile is no failure.
  const failed = remaining + (options.all ? 0 : untouched)
  if (failed > 0) {
    throw new CommandError('still_in_quarantine', `${failed} of ${fates.length} could not be redriven. \`npx loyalty-ledger quarantine show ID\` says why; \`quarantine discard ID --reason TEXT\` discards what is not wanted.`)
  }
}

/** `quarantine discard ID… --reason TEXT`: marks deliveries as not wanted, and why. Rows and bytes stay. */
export async function quarantineDiscardCommand (config: Config, output: Output, ids: readonly string[], text: string): Promise<void> {
  const reason = text.trim()
  if (reason === '' || reason.length > MAX_REASON_CHARACTERS) {
    throw new CommandError('reason_missing', `Say why in 1 to ${MAX_REASON_CHARACTERS} characters, for those who come after: --reason "a test of theirs".`)
  }
  const wanted = [...new Set(ids.map(idOf))]
  const { discarded, refused } = await withLedger(config, async db => {
    const done = { discarded: [] as string[], refused: [] as string[] }
    for (const id of wanted) (await markDiscarded(db, id, reason, BY) ? done.discarded : done.refused).push(String(id))
    return done
  })
  writeResult(output, { discarded, not_open: refused }, discarded.length === 0 ? 'Nothing was discarded.' : `Discarded ${discarded.join(', ')}. Rows and bytes stay.`)
  if (refused.length > 0) throw new CommandError('not_open', `Not open, or unknown: ${refused.join(', ')}. \`npx loyalty-ledger quarantine list\` shows what is open.`)
}

function idOf (text: string): bigint {
  if (!/^\d{1,19}$/.test(text) || BigInt(text) > MAX_QUARANTINE_ID) throw new CommandError('id_malformed', `${text} is no id of a quarantine row. \`npx loyalty-ledger quarantine list\` shows them.`)
  return BigInt(text)
}

function unknownRow (id: string): CommandError {
  return new CommandError('quarantine_not_found', `Nothing in quarantine has the id ${id}. \`npx loyalty-ledger quarantine list\` shows what is open, with --state redriven or discarded the rest.`)
}

function fate (redriven: Redriven): string {
  switch (redriven.status) {
    case 'redriven': return `redriven, ${redriven.event} at ${redriven.position}`
    case 'still_unusable': case 'still_conflicting': return `still in quarantine (${redriven.reason}): ${redriven.detail}`
    case 'not_open': return `${redriven.state} already`
    case 'not_found': return 'unknown'
  }
}

/** Counts as JSON carries them: JSON.stringify takes no bigint. */
function plain<Row extends ListedDelivery> (row: Row): Omit<Row, 'times_seen'> & { times_seen: number } {
  return { ...row, times_seen: Number(row.times_seen) }
}

function shown (row: DescribedDelivery): string {
  const facts: Array<[string, string | null]> = [
    ['quarantine_id', row.quarantine_id], ['state', row.state], ['reason', row.reason], ['detail', oneLine(row.detail)],
    ['times_seen', String(row.times_seen)], ['first_seen_at', row.first_seen_at], ['last_seen_at', row.last_seen_at],
    ['decided_at', row.decided_at], ['decided_by', row.decided_by], ['discard_reason', row.discard_reason],
    ['event_id', row.event_id], ['subject', row.subject], ['stored at', row.position], ['stored on', row.stored?.recorded_at ?? null]
  ]
  const told = facts.flatMap(([name, value]) => value === null ? [] : [`${name.padEnd(15)}${value}`])
  return [...told, ...differencesShown(row), '', row.body_encoding === 'utf-8' ? 'received' : 'received (base64: not UTF-8)', pretty(row.body)].join('\n')
}

function differencesShown ({ differences, stored }: DescribedDelivery): string[] {
  if (differences === null || stored === null) return []
  const rows = [...differences.facts, ...differences.fields].map(({ path, stored: before, received }) => [path, before, received])
  return [
    '',
    rows.length === 0 ? 'The payloads do not differ.' : table(['difference', 'stored', 'received'], rows),
    ...(differences.more_fields > 0 ? [`… and ${differences.more_fields} more.`] : []),
    '',
    'stored',
    pretty(stored.body_text)
  ]
}

// For display only: --json carries the text as it was received.
function pretty (text: string): string {
  try {
    const mark = randomUUID()
    return unmarkNumbers(JSON.stringify(JSON.parse(markNumbers(text, mark)), null, 2), mark)
  } catch {
    return text
  }
}

function oneLine (text: string): string {
  return text.replace(/\s+/g, ' ')
}

/** Replaces characters with which a sender could control the terminal, or change the direction of its text. */
function tame (text: string): string {
  return text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, sign => sign === '\n' || sign === '\t' ? sign : '\ufffd')
}
