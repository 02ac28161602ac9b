// A spend on a reward is stated by its row, by the redemption, and by each state of the reward: it counts once.
import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { openLedger } from '../support/ledger.ts'

const CARD = 'v_invCardOfIngrid'

function sample (name: string): object {
  const { body } = JSON.parse(readFileSync(new URL(import.meta.resolve(`#root/test/providers/voucherify/samples/${name}.json`)), 'utf8')) as { body: object }
  return body
}

const row = sample('transaction-created.points-redemption.reward')
const created = sample('reward-redemption.created.webhook')
const completed = sample('reward-redemption.completed.notification')

for (const [what, bodies] of Object.entries({ 'the row first': [row, created, completed], 'the row last': [completed, created, row], 'the row between': [created, row, completed] })) {
  test(`a spend that paid for a reward counts once, ${what}`, async t => {
    const ledger = await openLedger(t)
    for (const body of bodies) t.equal((await ledger.post(body)).statusCode, 202)
    await ledger.project()
    t.match((await ledger.get(`/v1/cards/${CARD}`)).json(), { balance: 150, spent: 150, unexplained: 0 })
    const { rows } = await ledger.owner.query("select points, balance from projection.statement_lines where card_id = $1 and kind = 'redemption'", [CARD])
    t.strictSame(rows, [{ points: '-150', balance: '150' }])
  })
}

test('a reward for a referral costs no points', async t => {
  const ledger = await openLedger(t)
  t.equal((await ledger.post(sample('reward-redemption.completed.referral'))).statusCode, 202)
  await ledger.project()
  const { rows } = await ledger.owner.query('select count(*)::integer as lines from projection.statement_lines')
  t.strictSame(rows, [{ lines: 0 }])
})
