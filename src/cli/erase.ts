import type { Config } from '../config.ts'
import { eraseCustomer, type Erasure } from '../erasure/erase.ts'
import { recognise } from '../providers/person.ts'
import { catchUp } from '../engine/catch-up.ts'
import { projections } from '../projections/index.ts'
import type { Db } from '../postgres/database.ts'
import { mayErase, readKnownOf } from '../erasure/erasure.sql.ts'
import { CommandError } from '../app/errors.ts'
import { withLedger } from '../app/open.ts'
import { writeResult, type Output } from '../app/output.ts'

export interface EraseCommandOptions { reason: string, dryRun: boolean, yes: boolean }

const BY = 'command line'
const MAX_REASON_CHARACTERS = 1000
/** How long to wait for shards that workers hold. Events that are not projected by then are erased all the same. */
const CATCH_UP_MS = 10_000

/** `erase CUSTOMER --reason TEXT`: removes a customer's personal data from the ledger. */
export async function eraseCommand (config: Config, output: Output, customer: string, options: EraseCommandOptions): Promise<void> {
  const reason = options.reason.trim()
  if (reason === '' || reason.length > MAX_REASON_CHARACTERS) {
    throw new CommandError('reason_missing', `Give a reason of 1 to ${MAX_REASON_CHARACTERS} characters that does not name the customer: --reason "request of 12 May, ticket 4711".`)
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
    throw new CommandError('customer_unknown', `Customer ${customer} is unknown: no event, projection or quarantine row is about this id. Give the provider's id, cust_…; GET /v1/customers?source_id=… finds it.`)
  }
  writeResult(output, { customer_id: customer, dry_run: !write, searched: erasure.searched, erased: erasure.erased, recorded: erasure.recorded }, summarise(customer, erasure, write))
  if (!write && !options.dryRun) throw new CommandError('confirmation_missing', 'Nothing was erased. An erasure cannot be undone: confirm it with --yes.')
}

async function requireOwner (db: Db): Promise<void> {
  if (await mayErase(db)) return
  throw new CommandError('owner_needed', 'This login may not erase. Only the login that owns the ledger may, which is the one that migrates: set it in DATABASE_URL.')
}

/** Refuses a reason that names the customer, since the reason is kept for ever. */
async function refuseNames (db: Db, customer_id: string, reason: string): Promise<void> {
  const { texts } = await readKnownOf(db, customer_id)
  if (!recognise(texts).hintedIn(reason)) return
  throw new CommandError('reason_names_customer', 'The reason names the customer, and it is kept for ever. Give one without personal data: a date, a ticket.')
}

function summarise (customer: string, { erased, searched, recorded }: Erasure, write: boolean): string {
  const from = `Searched: ${searched.events} events, ${searched.quarantined} quarantine rows.`
  const count = `${erased.events} events and ${erased.quarantined} quarantine rows`
  if (erased.events + erased.quarantined === 0) return `No personal data of ${customer} is left. ${from}`
  if (!write) return `Personal data of ${customer} would be erased in ${count}. ${from}`
  return `Erased personal data of ${customer} in ${count}. ${from} Recorded as ${recorded.join(', ')}.`
}
