// Exports other than of transactions, tables that are none of ours, and rows that are set aside.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { run } from '../../support/cli.ts'
import { awardData, enveloped, orderData } from '../../support/deliveries.ts'
import { openLedger, type TestLedger } from '../../support/ledger.ts'

type Test = Parameters<typeof openLedger>[0]

const VOUCHERS = 'id,code,voucher_type,value,campaign,campaign_id,loyalty_balance,active,created_at,updated_at,customer_id,customer_source_id'
const ORDERS = 'id,source_id,created_at,updated_at,status,amount,discount_amount,items_discount_amount,total_discount_amount,total_amount,customer_id,referrer_id,metadata.Channel'
const CUSTOMERS = 'name,id,description,email,source_id,created_at,loyalty_points,updated_at,phone,metadata.region'
const TRANSACTIONS = 'id,campaign_id,voucher_id,type,source_id,reason,source,balance,amount,related_transaction_id,created_at,details'

interface Imported { code: number | null, stderr: string, result: Record<string, unknown> & { kinds: Record<string, Record<string, number>>, warnings: string[], remarks: Array<{ what: string, reason: string }> } }

/** Imports a file by the command, into a ledger whose events are projected. */
async function take (t: Test, ledger: TestLedger, name: string, text: string, ...options: string[]): Promise<Imported> {
  const file = join(t.testdirName, name)
  writeFileSync(file, text)
  const { code, stdout, stderr } = await run(t, ['--json', 'import', ...options, file], { DATABASE_URL: ledger.url, DATA_DIR: join(t.testdirName, 'data') })
  return { code, stderr, result: stdout === '' ? {} as Imported['result'] : JSON.parse(stdout) as Imported['result'] }
}

function cell (value: object): string {
  return `"${JSON.stringify(value).replaceAll('"', '""')}"`
}

test('an export of vouchers says whose a card is, its code, and what it held', async t => {
  t.testdir({})
  const ledger = await openLedger(t)
  const file = `${VOUCHERS}\nv_1,CODE-1,LOYALTY_CARD,2000,Points,camp_1,2000,true,2026-01-01T00:00:00.100Z,2026-01-02T10:00:00.250Z,cust_1,shop-1\n` +
    'v_2,CODE-2,LOYALTY_CARD,0,Points,camp_1,0,FALSE,2026-01-01T00:00:00.100Z,,,\nv_gift,GIFT,GIFT_VOUCHER,500,Gifts,camp_2,,true,2026-01-01T00:00:00.100Z,,cust_1,\n'
  t.match(await take(t, ledger, 'vouchers.csv', file), { code: 0, result: { new: 2, ignored: 1, stored: 2, kinds: { vouchers: { new: 2, ignored: 1 } }, warnings: { length: 0 } } })
  t.match((await ledger.get('/v1/cards/CODE-1')).json(), { card_id: 'v_1', customer_id: 'cust_1', campaign: 'Points', campaign_id: 'camp_1', active: true, balance: 2000, balance_stated_at: '2026-01-02T10:00:00.250000Z' })
  t.match((await ledger.get('/v1/cards/v_2')).json(), { customer_id: null, active: false, balance: 0, balance_stated_at: '2026-01-01T00:00:00.100000Z' })
  t.match((await ledger.get('/v1/customers/cust_1')).json(), { source_id: 'shop-1' })
  t.match(await take(t, ledger, 'vouchers.csv', file), { code: 0, result: { new: 0, duplicate: 2, stored: 0 } }, 'again it adds nothing')
  const other = file.replace(',2000,true', ',1900,true')
  t.match(await take(t, ledger, 'vouchers.csv', other), { code: 0, result: { new: 1, duplicate: 1, conflict: 0 } }, 'another balance at the same time is another event')
})

test('an export of orders says what each is, and hides nothing that an event says of the same state', async t => {
  t.testdir({})
  const state = orderData({ id: 'ord_1', updatedAt: '2026-01-01T10:00:00.000Z', createdAt: '2026-01-01T09:00:00.000Z' })
  Object.assign(state.order, { items: [{ source_id: 'mug', quantity: 2 }], metadata: { channel: 1 } })
  const file = `${ORDERS}\nord_1,,2026-01-01 09:00:00.000,2026-01-01 10:00:00.000,PAID,1000,,,,1000,cust_1,,1\nord_2,shop-2,2026-01-01T09:00:00.000Z,,CREATED,7700,500,100,600,7100,cust_1,,web\n`
  for (const first of ['file', 'event']) {
    const ledger = await openLedger(t)
    const steps = [async () => { await take(t, ledger, 'orders.csv', file) }, async () => { await ledger.post(enveloped(state, { id: 'ev_1', eventType: 'customer.order.paid' })) }]
    for (const step of first === 'file' ? steps : steps.reverse()) await step()
    await ledger.project()
    t.match((await ledger.get('/v1/orders/ord_1')).json(), { status: 'PAID', items: [{ source_id: 'mug' }], metadata: { channel: 1 } }, `${first} first`)
    t.match((await ledger.get('/v1/orders/ord_2')).json(), { customer_id: 'cust_1', status: 'CREATED', source_id: 'shop-2', amount: 7700, items_discount_amount: 100, total_amount: 7100, metadata: { Channel: 'web' } })
  }
})

test('an export of customers, also with names of columns as the dashboard writes them', async t => {
  t.testdir({})
  const titles = 'Name,Id,Description,Email,Source Id,Created At,Loyalty Points,Updated At,Phone,Metadata.region'
  for (const head of [CUSTOMERS, titles]) {
    const ledger = await openLedger(t)
    const file = `${head}\n"Smith, John",cust_1,VIP,john@shop.example,shop-1,2026-01-01T00:00:00.000Z,2000,2026-01-02T00:00:00.000Z,+1 294 752 1846,EMEA\n`
    t.match(await take(t, ledger, 'customers.csv', file), { code: 0, result: { new: 1, kinds: { customers: { new: 1 } } } })
    t.match((await ledger.get('/v1/customers/cust_1')).json(), { name: 'Smith, John', email: 'john@shop.example', source_id: 'shop-1', metadata: { region: 'EMEA' } })
  }
})

test('an export of points that expire says what expires when, until an event or a newer file says otherwise', async t => {
  t.testdir({})
  const ledger = await openLedger(t)
  const file = (status: string, points: number): string => `id,campaign_id,voucher_id,status,expires_at,points\nlopb_1,camp_1,v_1,${status},2027-06-30,${points}\nlopb_2,camp_1,v_1,ACTIVE,2027-03-31,40\nlopb_3,camp_1,v_1,ACTIVE,,1\n`
  await ledger.post(awardData({ points: 1000, balance: 1000 }))
  t.match(await take(t, ledger, 'expiring.csv', file('ACTIVE', 1000)), { code: 0, result: { new: 3, stored: 3, kinds: { 'points that expire': { new: 3 } } } })
  const shown = async (query = ''): Promise<{ items: Array<Record<string, unknown>>, next_cursor: string | null }> => (await ledger.get(`/v1/cards/v_1/expirations?${query}`)).json()
  t.match((await shown()).items, [{ bucket_id: 'lopb_2', points: 40, expires_on: '2027-03-31', status: 'ACTIVE' }, { bucket_id: 'lopb_1', points: 1000 }, { bucket_id: 'lopb_3', expires_on: null }])
  const seen: unknown[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const page = await shown(`limit=1&cursor=${cursor}`.replace(/&cursor=$/, ''))
    seen.push(...page.items.map(({ bucket_id }) => bucket_id))
    cursor = page.next_cursor
  }
  t.strictSame(seen, ['lopb_2', 'lopb_1', 'lopb_3'])
  const { rows } = await ledger.owner.query('select bucket_id, points::int, customer_id from reporting.expiring_points order by 1')
  t.strictSame(rows[0], { bucket_id: 'lopb_1', points: 1000, customer_id: 'cust_1' })
  t.match((await take(t, ledger, 'later.csv', file('ACTIVE', 600))).result, { stored: 3 })
  t.match((await shown()).items[1], { bucket_id: 'lopb_1', points: 600 }, 'a file that was written later')
  await ledger.post(enveloped({
    transaction: { id: 'vtx_e', type: 'POINTS_EXPIRATION', voucher_id: 'v_1', created_at: '2027-07-01T00:00:00.000Z', details: { balance: { points: -600, balance: 400 } } },
    voucher: { id: 'v_1', type: 'LOYALTY_CARD', holder_id: 'cust_1' },
    points: 600,
    buckets: [{ id: 'lopb_1', bucket: { total_points: 600 }, expires_at: '2027-06-30' }]
  }, { id: 'ev_e', eventType: 'customer.voucher.loyalty_card.points_expired', at: '2027-07-01T00:00:01.000Z' }))
  await ledger.project()
  t.match((await shown()).items[1], { bucket_id: 'lopb_1', status: 'EXPIRED', points: 600, expires_on: '2027-06-30', event_id: 'ev_e' })
  t.equal((await ledger.owner.query("select from reporting.expiring_points where bucket_id = 'lopb_1'")).rowCount, 0)
})

test('a file of transactions without the balances is imported with a warning, and takes those that its details repeat', async t => {
  t.testdir({})
  const ledger = await openLedger(t)
  const details = (points: number, balance: number): string => cell({ balance: { points, balance, related_object: { id: 'v_1', type: 'voucher' } } })
  const head = TRANSACTIONS.replace(',balance', '')
  const row = (id: string, amount: number, at: string, more = ''): string => `${id},camp_1,v_1,POINTS_${amount < 0 ? 'REMOVAL' : 'ADDITION'},,,API,${amount},,${at},${more}\n`
  const text = `${head}\n${row('vtx_1', 100, '2026-01-01T00:00:00.000Z', details(100, 1100))}${row('vtx_2', -5, '2026-01-02T00:00:00.000Z')}${row('vtx_3', -7, '2026-01-03T00:00:00.000Z', details(7, 999))}`
  const { code, result } = await take(t, ledger, 'card.csv', text)
  t.equal(code, 0)
  t.match(result, { new: 3, stored: 3, warnings: [/card\.csv: the column balance is missing in this export of card transactions/] })
  t.match((await ledger.get('/v1/cards/v_1/statement')).json().items, [{ points: -7, reported_balance: null }, { points: -5, reported_balance: null }, { points: 100, reported_balance: 1100 }])
  t.match((await ledger.get('/v1/cards/v_1')).json(), { opening: 1000, balance: 1088, unexplained: 0 })
})

test('a row that does not say which movement it is waits in quarantine, and counts nothing beside its event', async t => {
  t.testdir({})
  const ledger = await openLedger(t)
  await ledger.post(awardData({ points: 100, balance: 100, at: '2026-01-02T03:04:05.000Z' }))
  await ledger.post(enveloped({
    customer: { id: 'cust_1' }, redemption: { id: 'r_1', amount: 30, date: '2026-01-03T03:04:05.000Z', result: 'SUCCESS' }, voucher: { id: 'v_1', type: 'LOYALTY_CARD', holder_id: 'cust_1' }
  }, { id: 'ev_r', eventType: 'redemption.succeeded', at: '2026-01-03T03:04:05.000Z' }))
  await ledger.project()
  const rows: Array<[what: string, row: string, reason: RegExp]> = [
    ['an accrual without details', 'vtx_1,camp_1,v_1,POINTS_ACCRUAL,,,API,100,100,,2026-01-02T03:04:05.900Z,', /cannot be matched to its award/],
    ['a spend that names no redemption', 'vtx_2,camp_1,v_1,POINTS_REDEMPTION,,,API,70,-30,,2026-01-03T03:04:05.900Z,{}', /redemption\.id/],
    ['a type of another form', `vtx_3,camp_1,v_1,points_redemption,,,API,70,-30,,2026-01-03T03:04:05.900Z,${cell({ redemption: { id: 'r_1' } })}`, /"points_redemption" is no type of a row/]
  ]
  for (const [what, row, reason] of rows) {
    const text = `${TRANSACTIONS}\n${row}\nvtx_9,camp_1,v_9,POINTS_ADDITION,,,API,5,5,,2026-01-03T03:04:05.900Z,\n`
    const foreseen = await take(t, ledger, 'card.csv', text, '--dry-run')
    t.match(foreseen, { code: 1, result: { set_aside: 1, bad: 0, conflict: 0 } }, `${what}: a dry run says so`)
    const { code, result, stderr } = await take(t, ledger, 'card.csv', text)
    t.equal(code, 1, what)
    t.match(result, { set_aside: 1, bad: 0, conflict: 0, remarks: [{ line: 2, what: 'set aside', reason }] }, `${what}: the others are imported`)
    t.match(stderr, /1 do not say which movement they are.*quarantine list/s, what)
    t.match((await ledger.get('/v1/cards/v_1')).json(), { balance: 70, earned: 100, spent: 30, adjusted: 0, unexplained: 0, movements: 2 }, what)
  }
  t.match((await ledger.get('/v1/quarantine')).json().items, [{ reason: 'invalid_payload' }, { reason: 'invalid_payload' }, { reason: 'invalid_payload' }])
  t.equal((await ledger.get('/v1/cards/v_9')).json().balance, 5)
})

test('a row of a type that does not exist today is stored, and said to be no movement yet', async t => {
  t.testdir({})
  const ledger = await openLedger(t)
  const text = `${TRANSACTIONS}\nvtx_1,camp_1,v_1,POINTS_POLISHING,,,API,103,3,,2026-01-02T03:04:05.900Z,\n`
  t.match(await take(t, ledger, 'card.csv', text), { code: 0, result: { new: 1, stored: 1, unknown_type: 1, set_aside: 0 } })
  t.match((await ledger.get('/v1/cards/v_1')).json(), { movements: 0, adjusted: 0, balance: 103 })
})

test('a table that is none of those is named, and it is said what to do with it', async t => {
  t.testdir({})
  const ledger = await openLedger(t)
  const cases: Array<[head: string, message: RegExp]> = [
    ['id,object,date,voucher_code,customer_id,loyalty_points,result', /is an export of redemptions.*Every spend.*card transactions/s],
    ['voucher_code,customer_id,customer_source_id,date,channel,campaign,is_winner', /is an export of publications.*vouchers/s],
    ['code,voucher_type,value,discount_type', /is an export of vouchers, but the columns id, loyalty_balance, updated_at are missing.*all fields/s],
    ['id,source_id,status', /is an export of orders, but the columns amount, created_at, updated_at are missing/],
    ['name,source_id', /is an export of customers, but the columns id, created_at, updated_at are missing/],
    ['a,b,c', /no export of card transactions.*Exports that can be imported: card transactions, .*vouchers/s]
  ]
  for (const [head, message] of cases) {
    const { code, stderr } = await take(t, ledger, 'file.csv', `${head}\n${head.replaceAll(/\w+/g, '1')}\n`)
    t.equal(code, 1, head)
    t.match(stderr, message, head)
  }
})

test('the report says what was read, by kind', async t => {
  t.testdir({})
  const ledger = await openLedger(t)
  const files = { 'vouchers.csv': `${VOUCHERS}\nv_1,C,LOYALTY_CARD,1,P,camp_1,1,true,2026-01-01T00:00:00.1Z,,cust_1,\n`, 'customers.csv': `${CUSTOMERS}\nA,cust_1,,,,2026-01-01T00:00:00.1Z,1,,,\nB,cust_2,,,,2026-01-01T00:00:00.1Z,1,,,\n`, 'sent.ndjson': JSON.stringify(awardData()) }
  const paths = Object.entries(files).map(([name, text]) => { const path = join(t.testdirName, name); writeFileSync(path, text); return path })
  const { stdout } = await run(t, ['import', ...paths], { DATABASE_URL: ledger.url, DATA_DIR: join(t.testdirName, 'data') })
  t.match(stdout, /4 event\(s\) stored\.\nRead 1 vouchers: 1 new\.\nRead 2 customers: 2 new\.\nRead 1 deliveries: 1 new\./)
})
