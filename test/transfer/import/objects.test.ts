// What the provider's API returns, saved to a file: pages as they come, and one object a line.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { isPage } from '../../../src/transfer/import/json-pages.ts'
import { openSource } from '../../../src/transfer/import/source.ts'
import { run } from '../../support/cli.ts'
import { awardData } from '../../support/deliveries.ts'
import { openLedger } from '../../support/ledger.ts'

const balance = (points: number, after: number): object => ({ type: 'loyalty_card', object: 'balance', points, balance: after, total: after, related_object: { id: 'v_1', type: 'voucher' } })
const row = (id: string, type: string, at: string, details: object): object => ({ id, source_id: null, voucher_id: 'v_1', campaign_id: 'camp_1', source: 'API', reason: null, type, details, related_transaction_id: null, created_at: at })
const ROWS = [
  row('vtx_3', 'POINTS_REDEMPTION', '2026-01-03T10:00:00.000Z', { balance: balance(-30, 75), redemption: { id: 'r_1' } }),
  row('vtx_2', 'POINTS_ADDITION', '2026-01-02T10:00:00.123456Z', { balance: balance(5, 105) }),
  row('vtx_1', 'POINTS_ACCRUAL', '2026-01-01T10:00:00.000Z', { balance: balance(100, 100), event: { id: 'evcus_1', type: 'customer.order.paid' }, earning_rule: { id: 'ern_1' } })
]

type Test = Parameters<typeof openLedger>[0]

async function bodiesOf (t: Test, content: string, limit = 100_000): Promise<{ bodies: string[], bad: string[], bytes: number }> {
  const file = join(t.testdirName, 'file')
  writeFileSync(file, content)
  const read = { bodies: [] as string[], bad: [] as string[], bytes: 0 }
  for await (const entry of (await openSource(file, limit)).entries()) {
    read.bytes += entry.bytes
    if ('body' in entry) read.bodies.push(entry.body.toString())
    if ('bad' in entry) read.bad.push(`${entry.line}: ${entry.bad}`)
  }
  return read
}

test('pages and lines of transactions come to the movements that webhooks and exports state', async t => {
  t.testdir({})
  const page = { object: 'list', data_ref: 'data', data: ROWS, has_more: false }
  const files = [JSON.stringify(page), JSON.stringify(page, null, 2), `${JSON.stringify({ ...page, data: ROWS.slice(0, 1) })}\n${JSON.stringify({ ...page, data: ROWS.slice(1) })}\n`, ROWS.map(one => JSON.stringify(one)).join('\n')]
  for (const [index, content] of files.entries()) {
    const ledger = await openLedger(t)
    await ledger.post(awardData({ points: 100, balance: 100 }))
    await ledger.project()
    const file = join(t.testdirName, `file-${index}`)
    writeFileSync(file, content)
    const environment = { DATABASE_URL: ledger.url, DATA_DIR: join(t.testdirName, 'data') }
    const first = await run(t, ['--json', 'import', file], environment)
    t.match(JSON.parse(first.stdout), { new: 2, duplicate: 1, bad: 0, stored: 3, kinds: { 'card transactions': { new: 2, duplicate: 1 } } }, first.stderr)
    t.match((await ledger.get('/v1/cards/v_1')).json(), { balance: 75, earned: 100, spent: 30, adjusted: 5, unexplained: 0, movements: 3 })
    t.match(JSON.parse((await run(t, ['--json', 'import', file], environment)).stdout), { new: 0, duplicate: 3, stored: 0 }, 'again it adds nothing')
  }
})

test('an object is kept byte for byte, whatever stands in it', async t => {
  t.testdir({})
  const odd = '{ "id":"cust_1","object":"customer" , "created_at":"2026-01-01T00:00:00Z",\n "metadata":{"a\\"}]":"[{\\\\","n":1152921506151679042,"x":19.990,"list":[{"object":"list"}]} }'
  const { bodies, bytes } = await bodiesOf(t, `{"object":"list","data_ref":"customers","filters":{"x":{"y":[{"z":1}]}},"customers":[${odd},\n${odd}],"total":2}`)
  t.strictSame(bodies, [`{"pulled":"customer","object":${odd}}`, `{"pulled":"customer","object":${odd}}`])
  t.ok(bytes > 2 * odd.length)
})

test('each kind of object is read from its list', async t => {
  t.testdir({})
  const lists: Array<[name: string, object: object, type: string]> = [
    ['vouchers', { id: 'v_1', object: 'voucher', type: 'LOYALTY_CARD', redemption: { object: 'list' } }, 'card'],
    ['orders', { id: 'ord_1', object: 'order', customer: { id: 'cust_1', object: 'customer' } }, 'order'],
    ['customers', { id: 'cust_1', object: 'customer' }, 'customer'],
    ['data', { id: 'lopp_1', voucher_id: 'v_1', points: 5, activates_at: '2026-02-01' }, 'pending_points']
  ]
  for (const [name, object, kind] of lists) {
    const body = `{"pulled":"${kind}","object":${JSON.stringify(object)}}`
    t.strictSame((await bodiesOf(t, JSON.stringify({ object: 'list', data_ref: name, [name]: [object], total: 1 }))).bodies, [body], `a page of ${name}`)
    t.strictSame((await bodiesOf(t, `${JSON.stringify(object)}\n${JSON.stringify(awardData())}\n`)).bodies, [body, JSON.stringify(awardData())], `a line of ${name}, and one of a delivery`)
  }
})

test('a page is told from a delivery by how it begins', async t => {
  for (const head of ['{"object":"list","data', '{ "object" : "list"', '{"data":[{', '{"data":[]', '{\n  "vouchers": [\n {', '{"data_ref":"data","data":[{', '{"has_more":true,"object":"list"', '{"data_ref":"x","total":3,"object":"list"']) t.ok(isPage(head), head)
  for (const head of ['{"object":"event","data":{', '{"data":{"a":[{', '{"id":"whs_1","data":[{', '{"type":"","data":null', '{}', '[{', 'id,code', '{"export":"loyalty-ledger/1"']) t.notOk(isPage(head), head)
})

test('what cannot be read in a page is named by its line', async t => {
  t.testdir({})
  const good = JSON.stringify(ROWS[1])
  const { bodies, bad } = await bodiesOf(t, `{"object":"list","data":[\n{"id":"prod_1","object":"product"},\n${good},\n{"id":"cust_1","object":"customer","x":"${'x'.repeat(2000)}"}, 7, "a", [{"no":1}]]}`, 1500)
  t.strictSame(bodies, [`{"pulled":"transaction","object":${good}}`])
  t.match(bad, [/^2: an object that is not imported.*prod_1/, /^4: an object of more than BODY_LIMIT_BYTES \(1500\) begins here/])
  for (const [content, message] of [['{"object":"list","data":[{"id":"v', /cut off/], [`{"object":"list","data":[${good}]} nonsense`, /no page of the API/], [`{"object":"list","data":[${good}]}]`, /no page of the API/]] as const) {
    await t.rejects(bodiesOf(t, content), { code: 'file_unreadable', message }, content.slice(-20))
  }
  t.strictSame((await bodiesOf(t, '{"object":"list","data":[]}')).bodies, [], 'an empty page is no error')
})

test('an object may be split anywhere between two reads of the file', async t => {
  t.testdir({})
  const long = { ...ROWS[0], reason: '{"[\\'.repeat(20_000) }
  const { bodies } = await bodiesOf(t, JSON.stringify({ object: 'list', data: [long, ROWS[1], long] }), 1_000_000)
  t.strictSame(bodies, [long, ROWS[1], long].map(one => `{"pulled":"transaction","object":${JSON.stringify(one)}}`))
})
