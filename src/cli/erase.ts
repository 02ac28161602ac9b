import type { Config } from '../config.ts'
import { eraseCustomer, type Erasure } from '../erasure/erase.ts'
import { recognise } from '../providers/voucherify/privacy/person.ts'
import { catchUp } from '../engine/catch-up.ts'
import { projections } from '../projections/index.ts'
import type { Db } from '../postgres/database.ts'
import { mayErase, readKnown } from '../erasure/erasure.sql.ts'
import { CommandError } from '../app/errors.ts'
import { withLedger } from '../app/open.ts'
import { say, type Output } from '../app/output.ts'

export interface EraseCommandOptions { reason: string, dryRun: boolean, yes: boolean }

const BY = 'command line'
const MAX_REASON_CHARACTERS = 1000
/** How long to wait for shards that workers hold. What they have not projected yet is erased, too. */
const CATCH_UP_MS = 10_000

/** `erase CUSTOMER --reason TEXT`: removes the personal data of a customer from the ledger. */
export async function eraseCommand (config: Config, output: Output, customer: string, options: EraseCommandOptions): Promise<void> {
  const reason = options.reason.trim()
  if (reason === '' || reason.length > MAX_REASON_CHARACTERS) {
    throw new CommandError('reason_missing', `Say why in 1 to ${MAX_REASON_CHARACTERS} characters, without naming the customer: --reason "request of 12 May, ticket 4711".`)
  }
  const write = options.yes && !options.dryRun
  const erasure = await withLedger(config, async db => {
    if (write) await requireOwner(db)
    await refuseNames(db, customer, reason)
    if (write) await catchUp(db, projections, { batch: config.PROJECTION_BATCH_EVENTS, wait_ms: CATCH_UP_MS })
    if (!output.json) output.progress('Reading every stored body …')
    const order = { customer_id: customer, reason, decided_by: BY }
    const onChunk = (done: number, of: number): void => {
      if (!output.json && of > 1) output.progress(`Transaction ${done + 1} of ${of} …`)
    }
    return await eraseCustomer(db, order, { projections, dryRun: !write, onChunk })
  }, write ? {} : { readOnly: true })
  if (erasure.unknown) {
    throw new CommandError('customer_unknown', `Nothing here is of a customer ${customer}: no event, no projection, no quarantine row. Ids are those of the provider, as cust_…; GET /v1/customers?source_id=… finds one.`)
  }
  say(output, { customer_id: customer, dry_run: !write, looked_at: erasure.looked_at, erased: erasure.erased, recorded: erasure.recorded }, describeErasure(customer, erasure, write))
  if (!write && !options.dryRun) throw new CommandError('confirmation_missing', 'Nothing was erased. It cannot be undone: say --yes to do it.')
}

async function requireOwner (db: Db): Promise<void> {
  if (await mayErase(db)) return
  throw new CommandError('owner_needed', 'This login may not erase: only the one that owns the ledger may, the login that migrates. Say it in DATABASE_URL.')
}

/** The reason is kept for ever. */
async function refuseNames (db: Db, customer_id: string, reason: string): Promise<void> {
  const { texts } = await readKnown(db, customer_id)
  if (!recognise(texts).hintedIn(reason)) return
  throw new CommandError('reason_names_customer', 'The reason names the customer, and it is kept for ever. Say it without: a date, a ticket.')
}

function describeErasure (customer: string, { erased, looked_at, recorded }: Erasure, write: boolean): string {
  const looked = `Looked at: ${looked_at.events} events, ${looked_at.quarantined} quarantine rows.`
  const count = `${erased.events} events and ${erased.quarantined} quarantine rows`
  if (erased.events + erased.quarantined === 0) return `Nothing personal about ${customer} is left. ${looked}`
  if (!write) return `Of ${customer} would be erased: ${count}. ${looked}`
  return `Erased what was personal about ${customer}: ${count}. ${looked} Recorded as ${recorded.join(', ')}.`
}
