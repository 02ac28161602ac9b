import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'tap'
import { factsOf } from '../../../src/provider/voucherify/delivery.ts'
import { canonicalStorable, type Json } from '../../../src/provider/voucherify/json.ts'
import { always } from '../../ledger/property.ts'
import { texts } from './payloads.ts'

/** The rule in other words: mend every text, put the names in order, write as JSON is written. Digests of stored states hang on it. */
function written (value: Json | undefined): string {
  if (typeof value === 'string') return JSON.stringify(mended(value))
  if (Array.isArray(value)) return `[${value.map(written).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null)
  const members = new Map(Object.entries(value).map(([name, member]) => [mended(name), member]))
  return `{${[...members].sort(([a], [b]) => a < b ? -1 : 1).map(([name, member]) => `${JSON.stringify(name)}:${written(member)}`).join(',')}}`
}

function mended (text: string): string {
  return text.replaceAll('\u0000', '\ufffd').toWellFormed()
}

const name = fc.oneof(
  fc.constantFrom('a', 'b', 'id', 'items', '10', '9', '', '__proto__', '\u0000', '\ufffd', '\ud83d', '\ud83d\ude00', 'ä', '"', '\\', 'a\nb'),
  fc.string({ maxLength: 3 })
)
const text = fc.oneof(name, fc.string({ unit: 'binary', maxLength: 20 }))
const { json } = fc.letrec<{ json: Json }>(tie => ({
  json: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof(text, fc.integer(), fc.double(), fc.boolean(), fc.constant(null)),
    fc.array(tie('json'), { maxLength: 4 }),
    fc.dictionary(name, tie('json'), { maxKeys: 40 })
  )
}))

test('JSON is written with its names in order and its texts as PostgreSQL can hold them', async t => {
  always(t, fc.property(json, value => {
    assert.equal(canonicalStorable(value), written(value))
  }))
})

test('no fact has members that are made anew for each fact', async t => {
  for (const body of [texts.order, texts.award]) {
    for (const fact of factsOf(body)) {
      const accessors = Object.entries(Object.getOwnPropertyDescriptors(fact)).filter(([, descriptor]) => 'get' in descriptor)
      t.strictSame(accessors.map(([name]) => name), [], `of ${fact.fact}`)
    }
  }
})
