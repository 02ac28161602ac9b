import { test } from 'tap'
import { elementTexts } from '../../../src/providers/voucherify/api/elements.ts'
import { knownProviders } from '../../../src/providers/index.ts'
import type { ApiAnswer } from '../../../src/providers/pull.ts'
import { fc } from '../../support/chance.ts'

test('the objects of a page are taken out byte for byte, whatever is in them and around them', async t => {
  const page = '{ "object":"list", "data" : [ {"id":"vtx_1","n":1152921506151679042, "m":19.990} ,\n{"t":"a \\"]}, {\\\\","l":[[],{}]}, 3, "x" ],"has_more":false}'
  t.strictSame(elementTexts(page, 'data'), ['{"id":"vtx_1","n":1152921506151679042, "m":19.990}', '{"t":"a \\"]}, {\\\\","l":[[],{}]}', '3', '"x"'])
  t.strictSame(elementTexts('{"data":[],"more":{"data":[1]}}', 'data'), [], 'the list itself, not one inside another member')
  t.strictSame(elementTexts('{}', 'data'), [])
  fc.assert(fc.property(fc.array(fc.jsonValue()), fc.jsonValue(), fc.constantFrom(undefined, 1, 3, '\t'), (list, other, space) => {
    const text = JSON.stringify({ other, data: list, last: other }, null, space)
    const texts = elementTexts(text, 'data')
    t.ok(texts.every(element => text.includes(element)))
    // As JSON: it has no -0.
    t.strictSame(texts.map(element => JSON.stringify(JSON.parse(element))), list.map(element => JSON.stringify(element)))
  }), { numRuns: 300 })
})

test('what an answer means follows from its status, and how long to wait from its headers', async t => {
  const { pull } = knownProviders.first
  const judged = (status: number, headers: ApiAnswer['headers'] = {}, body = '{}') => pull?.judge({ status, headers, body })
  t.match(judged(200), { verdict: 'answered' })
  for (const status of [403, 404]) t.match(judged(status), { verdict: 'absent' })
  for (const [status, code] of [[401, 'api_unauthorized'], [402, 'api_plan_insufficient'], [400, 'api_refused'], [302, 'api_refused']] as const) t.match(judged(status), { verdict: 'end', code })
  for (const status of [500, 502, 503, 504, 408]) t.match(judged(status), { verdict: 'later', code: 'api_unavailable', after_seconds: null })
  t.match(judged(503, { 'retry-after': '20' }), { after_seconds: 20 })
  t.match(judged(429, { 'retry-after': 'soon' }), { verdict: 'later', code: 'api_rate_limited', after_seconds: null })
  t.match(judged(429, { date: 'Thu, 01 Jan 2026 00:00:00 GMT', 'retry-after': 'Wed, 31 Dec 2025 23:00:00 GMT' }), { after_seconds: 0 })
  t.match(judged(401, {}, '{"code":401,"key":"unauthorized","message":"Unauthorized","details":"Bad token","request_id":"v-1"}'), { detail: /401 unauthorized: Bad token, request v-1/ })
  t.match(judged(502, {}, '<html>'), { detail: /502/ })
})
