import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateKeyPairSync } from 'node:crypto'
import { test, type Test } from 'tap'
import { shardOf } from '../../src/log/shards.sql.ts'
import { awardsOf, rechain, setHead, store, tamper } from '../support/audit.ts'
import { run, type Finished } from '../support/cli.ts'
import { openLedger } from '../support/ledger.ts'

const SHARDS = 16
const CUSTOMER = 'cust_1'
const SHARD = shardOf(CUSTOMER, SHARDS)

async function open (t: Test) {
  const ledger = await openLedger(t, { shards: SHARDS })
  for (const award of awardsOf(CUSTOMER, 5)) await store(ledger, [award], SHARDS)
  const folder = t.testdir()
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  writeFileSync(join(folder, 'own.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  writeFileSync(join(folder, 'own.pub'), publicKey.export({ type: 'spki', format: 'pem' }))
  const environment = { DATABASE_URL: ledger.url, DATA_DIR: join(folder, 'data'), ANCHOR_KEY_FILE: join(folder, 'own.key') }
  const command = async (args: string[], changes: Record<string, string> = {}): Promise<Finished> => await run(t, args, { ...environment, ...changes })
  return { ...ledger, folder, file: join(folder, 'anchor.json'), command }
}

test('verify and anchor, from a clean log to one that was cut off', async t => {
  const { command, file, folder, owner } = await open(t)
  const clean = await command(['verify'])
  t.equal(clean.code, 0, clean.stderr)
  t.match(clean.stdout, /^log: 5 events in 16 shards; \d+\.\d s, \d+ events\/s\nprojections: 0 events folded anew and every row compared; .*\nNo difference: .*\nWithout --against this cannot show a tail that was cut off with its head/)

  const made = await command(['anchor', file])
  t.equal(made.code, 0, made.stderr)
  t.match(made.stdout, /anchor\.json: 5 events in 16 shards as of \S+Z, signed\./)
  t.same(readdirSync(folder).filter(name => name.startsWith('anchor')), ['anchor.json'], 'nothing is left aside')
  const printed = await command(['anchor'])
  t.match(printed.stdout, /^\{"format":"loyalty-ledger-anchor\/1","made_at":"[^"]+","events":5,"shards":\[.*\]\}\n\{"algorithm":"Ed25519",.*\}\n$/)
  writeFileSync(join(folder, 'printed.json'), printed.stdout)

  // Where only the public key is at hand.
  const audited = await command(['verify', '--against', join(folder, 'printed.json')], { ANCHOR_KEY_FILE: '', ANCHOR_PUBLIC_KEY_FILE: join(folder, 'own.pub') })
  t.equal(audited.code, 0, audited.stderr)
  t.match(audited.stdout, /The log extends the anchor of \S+Z: its 5 events stand as they stood then\.$/m)
  t.notMatch(audited.stdout, /Without --against/)

  await tamper(owner, `delete from ledger.events where shard = ${SHARD} and position > 3`, setHead(SHARD))
  t.equal((await command(['verify'])).code, 0, 'the rows alone cannot tell')
  const cut = await command(['verify', '--against', file])
  t.equal(cut.code, 1)
  t.match(cut.stdout, new RegExp(`^code +position +event_id +subject +difference\\nTRUNCATED +${SHARD}:4 +positions 4 to 5 are missing at the end: the anchor of \\S+Z signed 5\\n1 difference: 1 TRUNCATED\\.$`, 'm'))
  t.notMatch(cut.stdout, /No difference|extends/)
})

test('--json, --limit, and a rewritten chain', async t => {
  const { command, file, owner } = await open(t)
  t.equal((await command(['anchor', file, '--json'])).code, 0)
  await tamper(owner, `update ledger.events set event_id = 'other' where shard = ${SHARD} and position = 2`, ...rechain(SHARD, 2))
  const { code, stdout, stderr } = await command(['verify', '--against', file, '--json', '--limit', '1'])
  t.equal(code, 1)
  t.equal(stderr, '', 'differences are a result, not an error')
  t.match(JSON.parse(stdout), {
    clean: false,
    log: { events: 5, shards: SHARDS, erased: 0, unread: 0, events_per_second: Number },
    against: { file, events: 5 },
    differences: 2,
    by_code: { IDENTITY_MISMATCH: 1, REWRITTEN: 1 },
    findings: [{ code: 'IDENTITY_MISMATCH', position: `${SHARD}:2`, event_id: 'other', subject: 'award:ern_1:v_cust_1', detail: String }]
  })
  t.equal((JSON.parse(stdout) as { findings: unknown[] }).findings.length, 1)
  t.match((await command(['verify', '--against', file, '--limit', '1'])).stdout, /\nand 1 more; --limit shows more of them\.\n2 differences: 1 IDENTITY_MISMATCH, 1 REWRITTEN\./)
})

test('what could not be verified is told from differences by the exit status', async t => {
  const { command, file, folder } = await open(t)
  const own = join(folder, 'own.key')
  await command(['anchor', file])
  const cases: Array<[what: string, args: string[], changes: Record<string, string>, code: string]> = [
    ['no database', ['verify'], { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' }, 'database_unreachable'],
    ['no file', ['verify', '--against', join(folder, 'none')], {}, 'file_unreadable'],
    ['no anchor', ['verify', '--against', own], {}, 'anchor_malformed'],
    ['no key', ['verify', '--against', file], { ANCHOR_KEY_FILE: '' }, 'anchor_key_missing'],
    ['a key file that is none', ['verify', '--against', file], { ANCHOR_KEY_FILE: file }, 'anchor_key_unusable'],
    ['a setting that is none', ['verify'], { PORT: 'none' }, 'config_invalid']
  ]
  for (const [what, args, changes, code] of cases) {
    const { code: status, stderr, stdout } = await command([...args, '--json'], changes)
    t.equal(status, 2, `${what}: ${stdout}`)
    t.match(JSON.parse(stderr), { code, message: String }, what)
  }
  const rsa = join(folder, 'rsa.key')
  writeFileSync(rsa, generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }))
  t.match((await command(['anchor'], { ANCHOR_KEY_FILE: rsa })).stderr, /The anchor key is a private key of type rsa; a private Ed25519 key is needed/)
  const unset = await command(['anchor'], { ANCHOR_KEY_FILE: '' })
  t.equal(unset.code, 1)
  t.match(unset.stderr, /set ANCHOR_KEY_FILE to an Ed25519 private key \(PEM\)\. `openssl genpkey -algorithm ed25519 -out anchor\.key` makes one/)

  chmodSync(folder, 0o755)
  const nowhere = await command(['anchor', join(folder, 'none', 'anchor.json')])
  t.equal(nowhere.code, 1)
  t.match(nowhere.stderr, /cannot be written/)
})

test('openssl agrees about the signature', async t => {
  const { command, file, folder } = await open(t)
  await command(['anchor', file])
  // The commands of docs/operations.md.
  const script = readFileSync(new URL(import.meta.resolve('#root/docs/operations.md')), 'utf8').match(/```sh\n(head -n 1 anchor\.json[^]*?)```/)?.[1] ?? ''
  const verified = (): string => execFileSync('sh', ['-ec', script], { cwd: folder, encoding: 'utf8', stdio: 'pipe' })
  writeFileSync(join(folder, 'anchor.pub'), readFileSync(join(folder, 'own.pub')))
  try {
    execFileSync('openssl', ['version'])
  } catch {
    t.comment('there is no openssl here')
    return
  }
  t.match(verified(), /Signature Verified Successfully/)
  writeFileSync(file, readFileSync(file, 'utf8').replace('"events":5', '"events":6'))
  t.throws(verified, 'and of one that was changed')
})

test('with the embedded database a key is made once, for its owner only', async t => {
  const DATA_DIR = t.testdir()
  const environment = { DATABASE_URL: '', DATA_DIR }
  const key = join(DATA_DIR, 'anchor.key')
  const file = join(DATA_DIR, 'anchor.json')
  t.equal((await run(t, ['migrate', 'up'], environment)).code, 0)
  const keyless = await run(t, ['verify', '--against', file], environment)
  t.equal(keyless.code, 2)
  t.notOk(existsSync(key), 'comparing makes none')
  const first = await run(t, ['anchor', file], environment)
  t.equal(first.code, 0, first.stderr)
  t.equal(statSync(key).mode & 0o777, 0o600)
  const made = readFileSync(key, 'utf8')
  t.equal((await run(t, ['anchor', file], environment)).code, 0)
  t.equal(readFileSync(key, 'utf8'), made)
  const verified = await run(t, ['verify', '--against', file], environment)
  t.equal(verified.code, 0, verified.stderr)
  t.match(verified.stdout, /^log: 0 events in 16 shards;/)
})
