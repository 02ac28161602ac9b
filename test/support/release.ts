// A database as a release left it: test/releases/README.md.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import type pg from 'pg'
import type { Test } from 'tap'
import { redrive } from '../../src/ingest/quarantine/redrive.ts'
import { projections } from '../../src/projections/index.ts'
import { step } from '../../src/engine/step.ts'
import { simulate } from '../../simulator/simulate.ts'
import { createKey } from '../../src/access/api-keys.sql.ts'
import { databaseOf } from '../../src/postgres/database.ts'
import { migrationsFolder } from '../../src/postgres/migrations/migrate.ts'
import { markDiscarded } from '../../src/ingest/quarantine/quarantine.sql.ts'
import { openLedger } from './ledger.ts'
import { copyOut, type CopiedRow } from './table-copy.ts'
import { root } from './root.ts'

const releasesFolder = join(root, 'test/releases')

/** A release: the digests of its migrations by file name, and every row of a database that its code wrote. */
export interface Release { version: string, migrations: Map<string, string>, rows: CopiedRow[] }

export function readReleases (): Release[] {
  return readdirSync(releasesFolder, { withFileTypes: true }).filter(entry => entry.isDirectory()).map(({ name: version }) => {
    const text = readFileSync(join(releasesFolder, version, 'migrations.sha256'), 'utf8')
    const migrations = new Map(text.trim().split('\n').map(line => line.split('  ').reverse() as [string, string]))
    const rows = gunzipSync(readFileSync(join(releasesFolder, version, 'rows.ndjson.gz'))).toString().trim().split('\n')
    return { version, migrations, rows: rows.map(line => JSON.parse(line) as CopiedRow) }
  })
}

/** The digest of each migration as it stands now, by file name. */
export function digestsOfMigrations (): Map<string, string> {
  const names = readdirSync(migrationsFolder).filter(name => name.endsWith('.sql')).sort()
  return new Map(names.map(name => [name, createHash('sha256').update(readFileSync(join(migrationsFolder, name))).digest('hex')]))
}

/** Writes down how the code and the migrations of today leave a database. A release is written once. */
export async function writeRelease (t: Test, version: string): Promise<void> {
  const folder = join(releasesFolder, version)
  if (existsSync(folder)) throw new Error(`${folder} is there already: what was released does not change.`)
  const rows = await copyOut(await usedDatabase(t), ['ledger', 'projection'])
  mkdirSync(folder)
  writeFileSync(join(folder, 'migrations.sha256'), [...digestsOfMigrations()].map(([name, digest]) => `${digest}  ${name}\n`).join(''))
  writeFileSync(join(folder, 'rows.ndjson.gz'), gzipSync(rows.map(row => `${JSON.stringify(row)}\n`).join('')))
}

/** One with all that can be in it: events, quarantine in every state, keys, shards projected to the end and others in part. */
async function usedDatabase (t: Test): Promise<pg.Pool> {
  const ledger = await openLedger(t)
  const { deliveries } = simulate({ seed: 'a release', customers: 25, events: 400, chaos: 'high' })
  const projected = Math.floor(deliveries.length * 0.6)
  for (const { body } of deliveries.slice(0, projected)) await ledger.post(body)
  await ledger.project()
  for (const { body } of deliveries.slice(projected)) await ledger.post(body)
  for (let steps = 0; steps < 6; steps++) await step(ledger.steps, projections, { batch: 3 })
  const conflict = await ledger.owner.query<{ id: string }>("select min(quarantine_id) as id from ledger.quarantine where reason = 'conflict'")
  await markDiscarded(ledger.db, BigInt(conflict.rows[0]?.id ?? 0), 'the provider sent it twice', 'command line')
  await redriven(ledger)
  await createKey(databaseOf(ledger.owner), 'reporting', 'read')
  return ledger.owner
}

/** As an older version of the code, which could not read it, would have set it aside. */
async function redriven ({ db, owner, appender }: Awaited<ReturnType<typeof openLedger>>): Promise<void> {
  const [delivery] = simulate({ seed: 'read later', customers: 1, events: 1 }).deliveries
  const { rows: [row] } = await owner.query<{ id: string }>(`
    insert into ledger.quarantine (body, headers, reason, detail) values ($1, '{}', 'invalid_payload', 'older code') returning quarantine_id as id`, [delivery?.body])
  await redrive(BigInt(row?.id ?? 0), 'key_0123456789ab (on call)', { db, appender, shards: 16 })
}
