import assert from 'node:assert/strict'
import { fc } from '../../support/chance.ts'
import { test } from 'tap'
import { canonicalStorable, type Json } from '../../../src/providers/voucherify/wire/json.ts'
import { always } from '../../ledger/property.ts'

/**
 * The rule in other words: mend every text, put the names in order, write as JSON is written. Digests of stored states
 * hang on it.
 */
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
const { json } = fc.letrec<{ json: Json }>(ordinal => ({
  json: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof(text, fc.integer(), fc.double(), fc.boolean(), fc.constant(null)),
    fc.array(ordinal('json'), { maxLength: 4 }),
    fc.dictionary(name, ordinal('json'), { maxKeys: 40 })
  )
}))

test('JSON is written with its names in order and its texts as PostgreSQL can hold them', async t => {
  always(t, fc.property(json, value => {
    assert.equal(canonicalStorable(value), written(value))
  }))
})

test('names that need mending at every level cost no more than at one', t => {
  const nested = (levels: number, name: string): Json => {
    let json: Json = { a: Array.from({ length: 2000 }, (_, index) => ({ id: `x${index}` })) }
    for (let level = 0; level < levels; level++) json = { a: json, [name]: 1 }
    return json
  }
  const took_ms = (json: Json): number => {
    const began = performance.now()
    canonicalStorable(json)
    return performance.now() - began
  }
  const least_ms = (json: Json): number => Math.min(...Array.from({ length: 25 }, () => took_ms(json)))
  const [plain, mended] = [least_ms(nested(100, 'b')), least_ms(nested(100, '\ud800'))]
  t.ok(mended < 20 * plain, `${mended.toFixed(1)} ms where all names are good takes ${plain.toFixed(1)} ms`)
  t.end()
})
