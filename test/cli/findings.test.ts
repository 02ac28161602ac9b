import { test } from 'tap'
import { describeFindings, listFindings } from '../../src/cli/support/findings.ts'

test('differences that nobody names are counted at once, however many', async t => {
  const findings = listFindings(1)
  findings.found({ code: 'PROJECTION_MISMATCH', shard: null, position: null, event_id: null, subject: 'card:v_1', detail: 'cards: 1 row(s) missing' })
  findings.foundMore('PROJECTION_MISMATCH', 10n ** 15n)
  t.equal(findings.total, 10 ** 15 + 1)
  t.strictSame(findings.byCode(), { PROJECTION_MISMATCH: 10 ** 15 + 1 })
  t.equal(findings.items.length, 1)
  t.match(describeFindings(findings).join('\n'), /and 1000000000000000 more; --limit shows more of them/)
})
