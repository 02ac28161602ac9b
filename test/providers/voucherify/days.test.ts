import { test } from 'tap'
import { dayOf } from '../../../src/providers/voucherify/payloads/values.ts'

test('a day is one that the calendar has, since the database keeps it as a date', t => {
  t.equal(dayOf('2026-02-17'), '2026-02-17')
  t.equal(dayOf('2024-02-29T10:00:00Z'), '2024-02-29')
  for (const none of ['2026-02-30', '2023-02-29', '2026-13-01', '2026-00-10', '2026-01-00', '0000-01-01', 'soon', '', 20260217, null, undefined]) t.equal(dayOf(none), null, String(none))
  t.end()
})
