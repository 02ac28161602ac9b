// The table of the provider's types in the docs is what the code does.
import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { families, familyOf } from '../../../src/providers/voucherify/families/index.ts'
import { openEnvelope } from '../../../src/providers/voucherify/wire/envelope.ts'

function textOf (path: string): string {
  return readFileSync(new URL(path, import.meta.resolve('#root/package.json')), 'utf8')
}

/** Every type in the provider's lists for webhooks and activities, as they spell them. */
const types = JSON.parse(textOf('test/providers/voucherify/provider-types.json')) as string[]
const rows = [...textOf('docs/voucherify-events.md').matchAll(/^\| `([a-z_.]+)` \| (read|stored) \| (.+) \|$/gm)].map(([, type = '', is = '', why = '']) => ({ type, is, why }))

function isRead (type: string): boolean {
  const opened = openEnvelope({ data: {}, event: { id: 'ev_1', type } }).type
  return typeof opened === 'string' && familyOf(opened) !== undefined
}

test('the table lists each type of the provider once, and says of each whether it is read', async t => {
  t.strictSame(rows.map(({ type }) => type), types, 'each once, in order')
  for (const { type, is, why } of rows) {
    t.equal(is, isRead(type) ? 'read' : 'stored', type)
    t.match(why, /^[A-Z].{10,}\.$/, `${type}: why`)
  }
})

test('every type that is read is one of the provider', async t => {
  const listed = new Set(types)
  for (const type of families.flatMap(family => family.types)) t.ok(listed.has(type), type)
})
