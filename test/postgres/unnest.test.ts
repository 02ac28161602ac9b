import { fc } from '../support/chance.ts'
import { sql } from 'kysely'
import { test } from 'tap'
import type { Instant } from '../../src/ledger/instant.ts'
import { unnest } from '../../src/postgres/unnest.ts'
import { openLedger } from '../support/ledger.ts'

interface Row {
  ordinal: number
  words: string | null
  small: number | null
  large: bigint | null
  any: bigint | null
  flag: boolean | null
  moment: Instant | null
}

const COLUMNS = { ordinal: 'integer', words: 'text', small: 'smallint', large: 'bigint', any: 'numeric', flag: 'boolean', moment: 'timestamptz' } as const

const INT8_MAX = 2n ** 63n - 1n
const maybe = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(values, { freq: 5 })
const moments = fc.tuple(fc.date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true }), fc.integer({ min: 0, max: 999 }))
  .map(([date, microseconds]) => `${date.toISOString().slice(0, 23)}${String(microseconds).padStart(3, '0')}Z` as Instant)

const rows: fc.Arbitrary<Row[]> = fc.array(fc.record({
  words: maybe(fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), fc.string({ minLength: 30, maxLength: 2000 })).map(text => text.replaceAll('\u0000', ''))),
  small: maybe(fc.integer({ min: -(2 ** 15), max: 2 ** 15 - 1 })),
  large: maybe(fc.oneof(fc.bigInt(-INT8_MAX - 1n, INT8_MAX), fc.bigInt(-20_000n, 20_000n))),
  any: maybe(fc.oneof(fc.bigInt(-(10n ** 60n), 10n ** 60n), fc.bigInt(-20_000n, 20_000n))),
  flag: maybe(fc.boolean()),
  moment: maybe(moments)
}), { maxLength: 200 }).map(all => all.map((row, ordinal) => ({ ordinal, ...row })))

test('rows come to PostgreSQL as they are here', async t => {
  const { db } = await openLedger(t)
  await fc.assert(fc.asyncProperty(rows, async sent => {
    const { rows: received } = await sql<Row>`select * from ${unnest(sent, COLUMNS)} order by ordinal`.execute(db)
    t.strictSame(received.map(row => ({ ...row })), sent)
  }), { numRuns: 60, endOnFailure: true })
})

test('what a column cannot hold is refused, not bent', async t => {
  const { db } = await openLedger(t)
  const send = async (row: object, type: 'bigint' | 'smallint' | 'timestamptz' | 'text'): Promise<unknown> => await sql`select * from ${unnest([row as { value: unknown }], { value: type })}`.execute(db)
  await t.rejects(async () => await send({ value: INT8_MAX + 1n }, 'bigint'), { code: 'ERR_OUT_OF_RANGE' })
  await t.rejects(async () => await send({ value: 2 ** 15 }, 'smallint'), { code: 'ERR_OUT_OF_RANGE' })
  await t.rejects(async () => await send({ value: 'yesterday' }, 'timestamptz'), { message: /not an instant/ })
  await t.rejects(async () => await send({ value: 'a\u0000b' }, 'text'), { code: '22021' })
})
