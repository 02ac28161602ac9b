import type { Test } from 'tap'
import { eraseCustomer, type Erasure, type EraseOptions } from '../../src/erasure/erase.ts'
import { storeIdentified } from '../../src/ingest/store-delivery.ts'
import { receiveDelivery } from '../../src/ingest/receive.ts'
import { projections } from '../../src/projections/index.ts'
import { knownProviders } from '../../src/providers/index.ts'
import { ownEvents } from '../../src/providers/own-events.ts'
import type { Json } from '../../src/providers/voucherify/wire/json.ts'
import { simulate } from '../../simulator/simulate.ts'
import { closePool, databaseOf, openPool, type Db } from '../../src/postgres/database.ts'
import { customersIn, plant } from '../providers/voucherify/personal.ts'
import { truthFirst } from '../support/arrivals.ts'
import { dumpProjections, type TestLedger } from '../support/ledger.ts'

export const SHARDS = 4

/** A simulated history in which everything of one customer, the one told of most, is full of secrets. */
export function plantedHistory (options: { seed: number, customers: number, events: number }): { customer_id: string, bodies: Buffer[] } {
  const deliveries = truthFirst(simulate({ ...options, chaos: 'high' }).deliveries.filter(({ kind }) => kind !== 'forged'))
  const parsed = deliveries.map(({ body }) => ({ body, json: jsonOf(body) }))
  const observed = new Map<string, number>()
  for (const { json } of parsed) for (const id of json === undefined ? [] : customersIn(json)) observed.set(id, (observed.get(id) ?? 0) + 1)
  const customer_id = [...observed].filter(([id]) => !/_0{6,}$/.test(id)).sort(([, a], [, b]) => b - a)[0]?.[0] ?? ''
  const bodies = parsed.map(({ body, json }) => {
    if (json === undefined || !customersIn(json).has(customer_id)) return body
    const others = new Set([...customersIn(json)].filter(id => id !== customer_id))
    return Buffer.from(JSON.stringify(plant(json, customer_id, others)))
  })
  return { customer_id, bodies }
}

function jsonOf (body: Buffer): Json | undefined {
  try {
    return JSON.parse(body.toString()) as Json
  } catch {
    return undefined
  }
}

export async function takeAll (ledger: TestLedger, bodies: readonly Buffer[]): Promise<void> {
  const intake = { db: ledger.db, appender: ledger.appender, shards: SHARDS }
  await Promise.all(bodies.map(async body => await receiveDelivery(body, {}, intake)))
}

/** Events out of another ledger, its own among them. */
export async function restoreAll (ledger: TestLedger, bodies: readonly Buffer[]): Promise<void> {
  const intake = { db: ledger.db, appender: ledger.appender, shards: SHARDS }
  await Promise.all(bodies.map(async body => {
    const reader = 'reason' in ownEvents.identify(body) ? knownProviders.first : ownEvents
    const identified = reader.identify(body)
    if (!('reason' in identified)) await storeIdentified(identified, intake, reader)
  }))
}

/** A connection pool as the owner, with our types. */
export function ownerOf (t: Test, ledger: TestLedger): Db {
  const pool = openPool({ url: ledger.url, poolSize: 3, name: 'erasing', onIdleError: () => {} })
  t.teardown(async () => { await closePool(pool) })
  return databaseOf(pool)
}

export async function erase (db: Db, customer_id: string, options: Partial<EraseOptions> = {}): Promise<Erasure> {
  return await eraseCustomer(db, { customer_id, reason: 'on request', decided_by: 'a test' }, { projections, ...options })
}

/** The projections as they come out of the stored events from nothing. */
export async function refolded (ledger: TestLedger): Promise<Record<string, string[]>> {
  const { rows: tables } = await ledger.owner.query<{ name: string }>("select relname as name from pg_class where relnamespace = 'projection'::regnamespace and relkind = 'r'")
  for (const { name } of tables) if (name !== 'checkpoints') await ledger.owner.query(`delete from projection.${name}`)
  await ledger.owner.query('update projection.checkpoints set position = 0')
  await ledger.project()
  return await dumpProjections(ledger.owner)
}

/** Columns in which an erasure may change something. */
const PERSONAL: Record<string, string[]> = {
  customers: ['name', 'email', 'metadata', 'source_id', 'field_times'],
  orders: ['metadata', 'items', 'state_digest'],
  order_states: ['metadata', 'items', 'state_digest'],
  observations: ['details']
}

/** The tables without what an erasure may change; states that differed in nothing else are one. */
export function impersonal (dump: Record<string, string[]>): Record<string, string[]> {
  return Object.fromEntries(Object.entries(dump).map(([table, rows]) => [table, [...new Set(rows.map(row => {
    const columns = JSON.parse(row) as Record<string, unknown>
    const hidden = [...PERSONAL[table] ?? [], ...table === 'order_states' ? ['event_id', 'subject', 'recorded_at'] : []]
    return JSON.stringify(Object.entries(columns).filter(([name]) => !hidden.includes(name)).sort(([a], [b]) => a < b ? -1 : 1))
  }))].sort()]))
}
