import { createHmac } from 'node:crypto'
import { fc } from '../../support/chance.ts'
import { test } from 'tap'
import { withoutInsignificantWhitespace } from '../../../src/providers/voucherify/wire/json.ts'
import { isAuthentic, sign, SIGNATURE_HEADER } from '../../../src/providers/voucherify/wire/signature.ts'
import { always } from '../../ledger/property.ts'
import { texts } from './payloads.ts'

// Published by the provider.
const vectors = [
  ['secretKey', '{"a":1}', 'a17d2ac229d1ebbb5f10e839c7985c4818e5986eab297f7e5979196d4d7d3ed2'],
  ['secretKey', '{"a\\"b":1}', 'f7cf97814a03146abedb9793f56e1dec34f618f82d10395310d053f749483ffb'],
  ['secretKey', '  message  ', '53ff92957e1427ce23ad5bda9d0c5f2f4ff384d0806b83eeacb510c842d3a358'],
  ['secret-signature-key', '{"test":"test1"}', '5547d4d07430a2d1b77649564c68d80afe591f7cc61ca110bccb442e3205eeec']
] as const

const body = Buffer.from('{"a":1}')
const good = vectors[0][2]

test('the four published vectors are authentic, and made alike', async t => {
  t.equal(SIGNATURE_HEADER, 'x-voucherify-signature')
  for (const [secret, text, signature] of vectors) {
    t.ok(isAuthentic(Buffer.from(text), signature, [secret]), text)
    t.equal(sign(text, secret), signature)
    t.equal(sign(Buffer.from(text), secret), signature)
    t.notOk(isAuthentic(Buffer.from(text.replace('1', '2').replace('m', 'n')), signature, [secret]), 'one character of the body changed')
    t.notOk(isAuthentic(Buffer.from(text), signature, [`${secret} `]), 'one character of the secret changed')
  }
})

test('a body is authentic as sent, and as its compact form was signed', async t => {
  const spaced = Buffer.from('\r\n{\t"a" :\n  1 }\n')
  t.ok(isAuthentic(spaced, good, ['secretKey']), 'signed without the white space between tokens')
  t.ok(isAuthentic(spaced, sign(spaced, 'secretKey'), ['secretKey']), 'signed with it')
  t.ok(isAuthentic(Buffer.from(' {"a\\"b" : 1}'), vectors[1][2], ['secretKey']), 'an escaped quote does not end a string')
  t.notOk(isAuthentic(body, sign(spaced, 'secretKey'), ['secretKey']), 'white space is taken away, never added')
  for (const text of Object.values(texts)) {
    t.not(JSON.stringify(JSON.parse(text)).length, text.length, 'the samples are indented')
    t.ok(isAuthentic(Buffer.from(text), sign(JSON.stringify(JSON.parse(text)), 's'), ['s']))
    t.ok(isAuthentic(Buffer.from(text), sign(text, 's'), ['s']))
    t.notOk(isAuthentic(Buffer.from(text.replace('Loyalty programme', 'Loyaltyprogramme').replace('Alex Doe', 'AlexDoe')), sign(JSON.stringify(JSON.parse(text)), 's'), ['s']), 'a space inside a string counts')
  }
  t.notOk(isAuthentic(Buffer.from('{"a":1.0}'), good, ['secretKey']), 'the same JSON in other bytes is another text')
})

test('white space goes between tokens only', async t => {
  const compacted: Array<[string, string]> = [
    ['', ''],
    [' \t\r\n', ''],
    ['{ "a b" : "c\td" }', '{"a b":"c\td"}'],
    ['{ "a\\" b" : " \\\\" , "c" : 1 }', '{"a\\" b":" \\\\","c":1}'],
    ['[ "\\\\\\" ", " x" ]', '["\\\\\\" "," x"]'],
    ['"never ends  ', '"never ends  '],
    ['"a\\', '"a\\'],
    ['{ "é": "ü ü" }', '{"é":"ü ü"}'],
    ['[1,\u00a01,\u000b1]', '[1,\u00a01,\u000b1]']
  ]
  for (const [text, compact] of compacted) t.equal(withoutInsignificantWhitespace(Buffer.from(text)).toString(), compact, JSON.stringify(text))
  always(t, fc.property(fc.json(), fc.constantFrom('\t', '  ', '\n ', '\r'), (json, indent) => {
    const value: unknown = JSON.parse(json)
    const compact = JSON.stringify(value)
    const spaced = Buffer.from(` ${JSON.stringify(value, null, indent)}\r\n`)
    if (withoutInsignificantWhitespace(spaced).toString() !== compact) throw new Error('not the compact form')
    if (!isAuthentic(spaced, sign(compact, 'k'), ['k'])) throw new Error('not authentic')
  }))
})

test('every secret in force is tried; none in force means nothing is authentic', async t => {
  t.ok(isAuthentic(body, good, ['newest', 'secretKey']), 'a retry outlives a rotation')
  t.ok(isAuthentic(body, good, ['secretKey', 'older']))
  t.ok(isAuthentic(Buffer.from('{ "a": 1 }'), good, ['newest', 'secretKey']), 'in the compact form too')
  t.notOk(isAuthentic(body, good, ['newest', 'older']))
  t.notOk(isAuthentic(body, good, []))
  t.notOk(isAuthentic(body, createHmac('sha256', '').update(body).digest('hex'), []), 'not even signed with nothing')
})

test('a signature that is missing, malformed or wrong is refused, and never throws', async t => {
  const wrong: Array<[what: string, signature: string | undefined]> = [
    ['missing', undefined], ['empty', ''], ['one digit short', good.slice(0, -1)], ['one digit long', `${good}0`],
    ['half of it', good.slice(0, 32)], ['twice', good + good], ['not hex', `g${good.slice(1)}`], ['spaces around', ` ${good} `], ['a line end', `${good}\n`],
    ['a prefix', `sha256=${good}`], ['two in one header', `${good}, ${good}`], ['base64', Buffer.from(good, 'hex').toString('base64')],
    ['wide characters', 'é'.repeat(64)], ['zeros', '0'.repeat(64)], ['first digit', `b${good.slice(1)}`], ['last digit', `${good.slice(0, -1)}3`],
    ['of another secret', sign(body, 'other')], ['of another body', sign('{"a":2}', 'secretKey')], ['capitals of another', sign(body, 'other').toUpperCase()]
  ]
  for (const [what, signature] of wrong) t.notOk(isAuthentic(body, signature, ['secretKey']), what)
  t.ok(isAuthentic(body, good.toUpperCase(), ['secretKey']), 'the same figure in capitals is the same signature')
  t.notOk(isAuthentic(Buffer.alloc(0), good, ['secretKey']), 'an empty body')
  t.ok(isAuthentic(Buffer.alloc(0), sign('', 'secretKey'), ['secretKey']), 'which can be signed like any other')
})

test('whitespace inside a number or a word makes another text, which nobody signed', async t => {
  const signature = sign('{"n":12,"a":null}', 'secret')
  for (const [text, authentic] of [['{ "n" : 12, "a": null }\n', true], ['{"n":1 2,"a":null}', false], ['{"n":12,"a":nu ll}', false], ['{"n":1\n2,"a":null}', false]] as const) {
    t.equal(isAuthentic(Buffer.from(text), signature, ['secret']), authentic, text)
  }
})
