import { test } from 'tap'
import { brokenAnswer, limitedAnswer, paymentAnswer, unauthorizedAnswer, type ApiFault } from '../../simulator/api/faults.ts'
import { refused } from '../../simulator/api/answer.ts'
import { move } from '../../simulator/stage.ts'
import { simulate } from '../../simulator/simulate.ts'
import type { World, Card } from '../../simulator/model.ts'
import { openLedger } from '../support/ledger.ts'
import { openAsking } from './support.ts'

const { world } = simulate({ seed: 'faults', customers: 5, events: 300, chaos: 'none' })

function answer (given: Extract<ApiFault, { fault: 'answer' }>['answer']): ApiFault {
  return { fault: 'answer', answer: given }
}

test('what passes by itself is tried again, after the time that the answer names or after pauses that grow', async t => {
  const cases: Array<[name: string, faults: ApiFault[], pause_ms: [least: number, most: number]]> = [
    ['429 with Retry-After in seconds', [answer(limitedAnswer(7))], [7000, 7000]],
    ['429 that says until when by a date', [answer(refused(429, 'x', 'x', { headers: { date: 'Thu, 01 Jan 2026 00:00:00 GMT', 'retry-after': 'Thu, 01 Jan 2026 00:00:30 GMT' } }))], [30_000, 30_000]],
    ['429 that says until when by X-Rate-Limit-Retry', [answer(refused(429, 'x', 'x', { headers: { date: 'Thu, 01 Jan 2026 00:00:00 GMT', 'x-rate-limit-retry': String(Date.UTC(2026, 0, 1, 0, 1) / 1000) } }))], [60_000, 60_000]],
    ['429 that says nothing', [answer(limitedAnswer())], [500, 1000]],
    ['5xx, twice', [answer(brokenAnswer()), answer(brokenAnswer(500))], [1500, 3000]],
    ['a connection cut before the answer', [{ fault: 'cut', midway: false }], [500, 1000]],
    ['a connection cut in the middle of the answer', [{ fault: 'cut', midway: true }], [500, 1000]],
    ['no answer', [{ fault: 'silence' }], [500, 1000]]
  ]
  const ledger = await openLedger(t)
  for (const [name, faults, [least, most]] of cases) {
    const asking = await openAsking(t, ledger, world, {}, { timeout_ms: faults[0]?.fault === 'silence' ? 200 : 5000 })
    asking.api.fail(...faults)
    const done = await asking.reconcile()
    t.equal(done.state, 'finished', name)
    t.ok(asking.paused_ms() >= least && asking.paused_ms() <= most, `${name}: ${asking.paused_ms()} ms`)
    t.equal(Number(done.calls), asking.api.calls.length, `${name}: tries count as calls`)
  }
})

test('what does not pass ends the run with a code, and the next run continues', async t => {
  const often = (fault: ApiFault): ApiFault[] => Array.from({ length: 6 }, () => fault)
  const cases: Array<[code: string, faults: ApiFault[], detail: RegExp]> = [
    ['api_unauthorized', [answer(unauthorizedAnswer())], /VOUCHERIFY_APP_TOKEN.*region/],
    ['api_plan_insufficient', [answer(paymentAnswer())], /plan/],
    ['api_refused', [answer(refused(400, 'invalid_query_params', 'Invalid query params'))], /400 invalid_query_params/],
    ['api_rate_limited', [answer(limitedAnswer(7200))], /asks to wait 7200 s/],
    ['api_rate_limited', often(answer(limitedAnswer(1))), /tried 6 times/],
    ['api_unavailable', often(answer(brokenAnswer())), /503 internal_error.*tried 6 times/],
    ['api_unavailable', often({ fault: 'cut', midway: false }), /does not answer.*tried 6 times/],
    ['api_unreadable', [{ fault: 'garbled' }], /no JSON object/]
  ]
  const ledger = await openLedger(t)
  let runs = 0
  for (const [code, faults, detail] of cases) {
    const asking = await openAsking(t, ledger, world)
    let calls = 0
    asking.onCall(() => { if (++calls === 4) asking.api.fail(...faults) })
    await t.rejects(asking.reconcile(), { name: 'PullFailed', code, message: detail }, code)
    runs++
    const { rows } = await ledger.owner.query('select state, ended_by, runs, calls::int from ledger.reconciliations')
    t.match(rows, [{ state: 'stopped', ended_by: code, runs }], 'one reconciliation, which every run continues')
  }
  const asking = await openAsking(t, ledger, world)
  t.match(await asking.reconcile(), { state: 'finished', ended_by: null, detail: null, runs: runs + 1, cards_healed: BigInt(live(world).length) }, 'the statement covers all its runs')
})

test('a budget ends a run, and the calls of a minute are spread', async t => {
  const ledger = await openLedger(t)
  const asking = await openAsking(t, ledger, world)
  await t.rejects(asking.reconcile({}, { per_run: 5 }), { code: 'api_budget_spent' })
  t.equal(asking.api.calls.length, 5)
  t.equal(asking.paused_ms(), 0)
  const done = await asking.reconcile({}, { per_minute: 4 })
  t.match(done, { state: 'finished', runs: 2 })
  const calls = asking.api.calls.length - 5
  t.equal(asking.paused_ms(), Math.floor((calls - 1) / 4) * 60_000, `${calls} calls, four a minute`)
})

test('a campaign of gift cards, and one that the key may not see, are left out; a deleted card is a remark', async t => {
  const { world } = simulate({ seed: 'gifts', customers: 5, events: 300, chaos: 'none' })
  const ledger = await openLedger(t)
  const asking = await openAsking(t, ledger, world)
  const [campaign] = world.campaigns
  asking.onCall((_call, path) => { if (path.includes(campaign!.id)) asking.api.fail(answer(refused(403, 'invalid_campaign_type', 'Invalid campaign type'))) })
  const done = await asking.reconcile()
  t.match(done, { state: 'finished', cards_different: 0n })
  const { rows } = await ledger.owner.query<{ campaign_id: string }>('select distinct campaign_id from projection.cards where campaign_id is not null')
  t.notOk(rows.some(({ campaign_id }) => campaign_id === campaign!.id))

  const gone = world.cards[0]!
  gone.deleted = true
  t.match(await asking.reconcile({ card: gone.now.id }), { state: 'finished', cards_compared: 0n, remarks: [/deleted/] })
})

test('given a row that is committed late with a smaller id, then the next run finds it in the overlap; much later, by its card', async t => {
  for (const behind of [0, 120]) {
    const { world } = simulate({ seed: `uncommitted ${behind}`, customers: 5, events: 3000, chaos: 'none' })
    const rows = world.cards.flatMap(card => card.rows.filter(row => row !== card.rows.at(-1) && !card.deleted && row.card.campaign === world.campaigns[0]))
      .sort((a, b) => a.id < b.id ? 1 : -1)
    const row = rows[behind]!
    const uncommitted = new Set([row.id])
    const ledger = await openLedger(t)
    const asking = await openAsking(t, ledger, world, { uncommitted })
    await asking.reconcile()
    const missing = async (): Promise<boolean> => (await ledger.owner.query('select from projection.movement_observations where movement_id = $1', [row.movement_id])).rowCount === 0
    t.ok(await missing(), 'its card is asked for by itself, in vain')
    uncommitted.clear()
    if (behind > 0) {
      // It is outside the overlap; the card changes once more, and its unexplained points lead to it.
      const card = world.cards.find(({ now }) => now.id === row.card.id)!
      addPoints(card, world)
    }
    const next = await asking.reconcile()
    t.ok(next.cards_healed > 0n)
    t.notOk(await missing(), `${behind} rows behind`)
    const { rows: [card] } = await ledger.owner.query('select unexplained::int from projection.cards where card_id = $1', [row.card.id])
    t.strictSame(card, { unexplained: 0 })
  }
})

test('given cards that change between two pages, then none is missed', async t => {
  const { world } = simulate({ seed: 'many cards', customers: 160, events: 2500, chaos: 'none' })
  const ledger = await openLedger(t)
  const asking = await openAsking(t, ledger, world)
  await asking.reconcile()
  const cards = live(world)
  t.ok(cards.length > 200, `${cards.length} cards: several pages`)
  for (const card of cards) addPoints(card, world)
  asking.onCall((_call, path) => {
    // The first cards of a page move to the end of the list while it is read.
    if (path.endsWith('/members')) for (const card of cards.slice(0, 20)) addPoints(card, world)
  })
  await asking.reconcile()
  asking.onCall(() => {})
  const last = await asking.reconcile()
  t.match(last, { state: 'finished', cards_different: 0n })
  const { rows } = await ledger.owner.query<{ card_id: string, balance: string }>('select card_id, balance::text from projection.cards')
  const balances = new Map(rows.map(({ card_id, balance }) => [card_id, Number(balance)]))
  t.strictSame(cards.filter(({ now }) => balances.get(now.id) !== now.balance).map(({ now }) => now.id), [])
})

function live ({ cards }: World): Card[] {
  return cards.filter(({ deleted }) => !deleted)
}

let added = 0

/** Points move on a card after everything that happened in the world. */
function addPoints (card: Card, world: World): void {
  const newest = world.cards.flatMap(({ rows }) => rows).reduce((latest, row) => row.id > latest ? row.id : latest, '')
  const id = `${newest.slice(0, 19)}${(++added).toString(16).padStart(4, '0')}`
  const at = Math.max(...world.cards.map(({ now }) => now.updated_at)) + 1000
  const movement_id = `transaction:${id}`
  const after = move(card, { movement_id, kind: 'addition', points: 5, at })
  card.rows.push({ id, movement_id, kind: 'addition', type: 'POINTS_ADDITION', card: after, points: 5, at, details: {}, balance_beside: false })
}
