import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type pg from 'pg'
import { signAnchor, type Anchor } from '../../src/audit/anchor.ts'
import { placeOf, type Finding } from '../../src/audit/finding.ts'
import { verifyLog, type LogCounts } from '../../src/audit/log.ts'
import { identifySafely, storeIdentified } from '../../src/ingest/store-delivery.ts'
import { knownProviders } from '../../src/providers/index.ts'
import { ownEvents } from '../../src/providers/own-events.ts'
import { readChainHeads } from '../../src/audit/log.sql.ts'
import { awardData, enveloped } from './deliveries.ts'
import type { TestLedger } from './ledger.ts'

const query = readFileSync(new URL(import.meta.resolve('#root/docs/verify.sql')), 'utf8')
const key = generateKeyPairSync('ed25519')

/** A row of what docs/verify.sql says. */
export interface SqlFinding { code: string, position: string | null, event_id: string | null, subject: string | null, detail: string }

/** What both verifiers say about one state of a log; findings as `CODE shard:position`, sorted. */
export interface Verdict {
  command: string[]
  sql: string[]
  findings: Finding[]
  rows: SqlFinding[]
  counts: LogCounts
  summary: string
}

export async function audit (ledger: Pick<TestLedger, 'db' | 'owner'>, against?: Anchor): Promise<Verdict> {
  const findings: Finding[] = []
  const counts = await verifyLog(ledger.db, { against, found: finding => { findings.push(finding) } })
  const rows = await runAuditorsQuery(ledger.owner, against)
  const summary = rows.pop()
  if (summary?.code !== 'SUMMARY') throw new Error('the query ends with its summary')
  return {
    command: findings.map(finding => `${finding.code} ${placeOf(finding)}`).sort(),
    sql: rows.map(({ code, position }) => `${code} ${position}`).sort(),
    findings,
    rows,
    counts,
    summary: summary.detail
  }
}

/** What the command alone finds. */
export async function findingsOf (db: TestLedger['db']): Promise<Finding[]> {
  const findings: Finding[] = []
  await verifyLog(db, { found: finding => { findings.push(finding) } })
  return findings
}

/** As psql would: the setting, then the file as it is. */
async function runAuditorsQuery (pool: pg.Pool, against?: Anchor): Promise<SqlFinding[]> {
  const client = await pool.connect()
  try {
    const [heads = ''] = against === undefined ? [] : signAnchor(against, key.privateKey).split('\n')
    await client.query(`set audit.anchor = '${heads}'`)
    return (await client.query<SqlFinding>(query)).rows
  } finally {
    client.release()
  }
}

/** The state of the log now, as an anchor would sign it. */
export async function anchorNow (ledger: Pick<TestLedger, 'db'>): Promise<Anchor> {
  const shards = await readChainHeads(ledger.db)
  return { made_at: '2026-01-02T00:00:00.000Z', events: shards.reduce((sum, { head }) => sum + head, 0n), shards }
}

/** Stores bodies without HTTP, the ledger's own among them. */
export async function store (ledger: Pick<TestLedger, 'db' | 'appender'>, bodies: ReadonlyArray<Buffer | object>, shards: number): Promise<void> {
  await Promise.all(bodies.map(async body => {
    const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body))
    const reader = 'reason' in ownEvents.identify(bytes) ? knownProviders.first : ownEvents
    const identified = identifySafely(bytes, reader)
    if ('reason' in identified) throw new Error(`${identified.reason}: ${identified.detail}`)
    const settled = await storeIdentified(identified, { db: ledger.db, appender: ledger.appender, shards }, reader)
    if (settled.status === 'unusable') throw new Error(`${settled.reason}: ${settled.detail}`)
  }))
}

/** Awards of one customer, and so of one shard, in this order. */
export function awardsOf (customer: string, count: number): object[] {
  return Array.from({ length: count }, (_, index) => {
    const at = `2026-01-01T10:00:${String(index % 60).padStart(2, '0')}.000Z`
    return enveloped(awardData({ customer, card: `v_${customer}`, trigger: `evcus_${customer}_${index}`, at }), { id: `ev_${customer}_${index}`, at })
  })
}

/** What nobody may do and an owner of the database can: changes what is stored, with the guard off. */
export async function tamper (owner: pg.Pool, ...statements: string[]): Promise<void> {
  const client = await owner.connect()
  try {
    await client.query('begin')
    const { rows: guards } = await client.query<{ name: string }>("select tgname as name from pg_trigger where tgrelid = 'ledger.events'::regclass and not tgisinternal")
    await client.query('alter table ledger.events disable trigger user')
    for (const statement of statements) await client.query(statement)
    for (const { name } of guards) await client.query(`alter table ledger.events enable always trigger ${name}`)
    await client.query('commit')
  } finally {
    client.release()
  }
}

/** Statements that compute the chain of a shard anew from a position on, and set the head to its end. */
export function rechain (shard: number, from: number): string[] {
  return [`
    update ledger.events e set chain = w.chain
    from (
      select c.position, ledger.chain_over(c.before, ledger.chain_link(c.shard, c.position, c.event_id, c.subject, c.body_digest)) over (order by c.position) as chain
      from (
        select r.*, coalesce((select p.chain from ledger.events p where p.shard = r.shard and p.position = ${from - 1}), decode(repeat('00', 32), 'hex')) as before
        from ledger.events r where r.shard = ${shard} and r.position >= ${from}
      ) c
    ) w
    where e.shard = ${shard} and e.position = w.position`, setHead(shard)]
}

/** A statement that makes the head of a shard fit its newest row. */
export function setHead (shard: number): string {
  return `
    update ledger.shards s set head = coalesce(n.position, 0), chain = coalesce(n.chain, decode(repeat('00', 32), 'hex'))
    from (select 1) one left join lateral (select position, chain from ledger.events where shard = ${shard} order by position desc limit 1) n on true
    where s.shard = ${shard}`
}
