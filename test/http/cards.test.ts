import { test } from 'tap'
import { awardData } from '../support/deliveries.ts'
import { openLedger, type TestLedger } from '../support/ledger.ts'

const variants = ['', '/statement', '/explain', '?at=2026-06-01T00:00:00Z', '/statement?known_at=2099-01-01T00:00:00Z', '/explain?at=2026-06-01T00:00:00Z']

/** Cards v_1 and v_2 with one code. */
async function twoOfOneCode (ledger: TestLedger): Promise<void> {
  await ledger.post(awardData({ card: 'v_1', rule: 'ern_1', points: 1 }))
  await ledger.post(awardData({ card: 'v_2', rule: 'ern_2', points: 2 }))
  await ledger.project()
  await ledger.owner.query("update projection.cards set code = 'SAME', campaign = 'Campaign ' || card_id, campaign_id = 'camp_' || card_id")
}

async function remove (ledger: TestLedger, card_id: string): Promise<void> {
  await ledger.owner.query("update projection.cards set deleted_at = '2026-02-01T00:00:00Z' where card_id = $1", [card_id])
}

test('given two cards with one code, then the code is ambiguous, and the answer names both', async t => {
  const ledger = await openLedger(t)
  await twoOfOneCode(ledger)
  for (const variant of variants) {
    const answer = await ledger.get(`/v1/cards/SAME${variant}`)
    t.equal(answer.statusCode, 409, variant)
    t.match(answer.headers['content-type'], 'application/problem+json')
    t.strictSame(answer.json(), {
      type: 'urn:loyalty-ledger:problem:card_ambiguous',
      title: 'Conflict',
      status: 409,
      code: 'card_ambiguous',
      detail: 'Several cards have the code "SAME": v_1 (campaign Campaign v_1), v_2 (campaign Campaign v_2). Ask for one of them by its id.',
      cards: ['v_1', 'v_2'].map(card_id => ({ card_id, campaign_id: `camp_${card_id}`, campaign: `Campaign ${card_id}`, deleted_at: null }))
    }, variant)
  }
  t.match((await ledger.get('/v1/cards/v_2')).json(), { card_id: 'v_2', balance: 2 }, 'by id there is no doubt')
})

test('given a deleted card and one that is not, then their code means the one that is not', async t => {
  const ledger = await openLedger(t)
  await twoOfOneCode(ledger)
  await remove(ledger, 'v_1')
  for (const variant of variants) t.equal((await ledger.get(`/v1/cards/SAME${variant}`)).statusCode, 200, variant)
  t.match((await ledger.get('/v1/cards/SAME')).json(), { card_id: 'v_2', balance: 2, deleted_at: null })
  t.match((await ledger.get('/v1/cards/SAME/statement')).json(), { items: [{ points: 2 }] })
  t.match((await ledger.get('/v1/cards/SAME/explain')).json(), { items: [{ points: 2 }] })
  t.match((await ledger.get('/v1/cards/SAME?at=2026-06-01T00:00:00Z')).json(), { card_id: 'v_2', balance: 2 })

  await remove(ledger, 'v_2')
  t.match((await ledger.get('/v1/cards/SAME')).json(), { code: 'card_ambiguous', cards: [{ deleted_at: '2026-02-01T00:00:00.000000Z' }, {}] }, 'two deleted ones are ambiguous too')
  await ledger.owner.query("update projection.cards set code = 'OTHER' where card_id = 'v_2'")
  t.match((await ledger.get('/v1/cards/SAME')).json(), { card_id: 'v_1', deleted_at: '2026-02-01T00:00:00.000000Z' }, 'a deleted card alone is found by its code')
})

test('an id comes before a code, also where the card of that id is deleted', async t => {
  const ledger = await openLedger(t)
  await twoOfOneCode(ledger)
  await remove(ledger, 'v_1')
  await ledger.owner.query("update projection.cards set code = 'v_1' where card_id = 'v_2'")
  t.match((await ledger.get('/v1/cards/v_1')).json(), { card_id: 'v_1', balance: 1 })
})

test('given more cards with one code than an answer names, then it names the first', async t => {
  const ledger = await openLedger(t)
  await twoOfOneCode(ledger)
  await ledger.owner.query("insert into projection.cards select (jsonb_populate_record(c, jsonb_build_object('card_id', 'v_x' || n))).* from projection.cards c, generate_series(100, 140) n where c.card_id = 'v_1'")
  t.equal((await ledger.get('/v1/cards/SAME')).json().cards.length, 20)
})

test('the ambiguous code is described in OpenAPI', async t => {
  const ledger = await openLedger(t)
  const { paths } = (await ledger.get('/openapi.json')).json()
  for (const path of ['/v1/cards/{card}', '/v1/cards/{card}/statement', '/v1/cards/{card}/explain']) {
    const { schema } = paths[path].get.responses['409'].content['application/problem+json']
    t.match(schema, { allOf: [{ $ref: /Problem$/ }, { properties: { cards: { type: 'array' } } }] }, path)
  }
})
