import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { test } from 'tap'
import { factsOf, identify } from '../../../src/providers/voucherify/identify.ts'
import type { JsonObject } from '../../../src/providers/voucherify/wire/json.ts'
import { award, order, projectWebhook } from './payloads.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as (how?: { type: 'minor' | 'major' }) => void

const COUNT = 100
/** Of each payload what nobody reads: some 160 kB of small objects once it is parsed. */
const ballast = Array.from({ length: 1000 }, (_, index) => ({ name: `ballast number ${index}`, value: `of no account ${index}` }))
const payload_bytes = 160_000

function bodies (data: JsonObject): string[] {
  return Array.from({ length: COUNT }, (_, index) => JSON.stringify(projectWebhook({ ...data, order: { ...data.order as JsonObject, ballast } }, { event_id: `ev_${index}` })))
}

/** What is on the heap after something was done, beyond what was there before. */
function growthOf (action: () => unknown, type: 'minor' | 'major'): number {
  collect({ type: 'major' })
  const before = process.memoryUsage().heapUsed
  const kept = action()
  collect({ type })
  collect({ type })
  const after = process.memoryUsage().heapUsed
  return kept === undefined ? 0 : after - before
}

test('the facts of a batch do not hold its payloads', t => {
  for (const data of [order(), award()]) {
    const texts = bodies(data)
    texts.forEach(factsOf)
    const grown = growthOf(() => texts.map(factsOf), 'major')
    t.ok(grown < COUNT * payload_bytes / 10, `${grown} bytes for ${COUNT} events`)
  }
  t.end()
})

test('the payload of a delivery that was named is young garbage, which costs nothing to collect', t => {
  for (const data of [order(), award()]) {
    const buffers = bodies(data).map(text => Buffer.from(text))
    buffers.forEach(identify)
    const grown = growthOf(() => buffers.map(buffer => 'reason' in identify(buffer)), 'minor')
    t.ok(grown < COUNT * payload_bytes / 10, `${grown} bytes for ${COUNT} deliveries`)
  }
  t.end()
})
