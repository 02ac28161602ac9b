import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { fc } from '../support/chance.ts'
import { test } from 'tap'
import { AnchorError, readAnchor, signAnchor, type Anchor } from '../../src/audit/anchor.ts'

const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const anchor: Anchor = {
  made_at: '2026-01-02T03:04:05.678Z',
  events: 7n,
  shards: [{ shard: 0, head: 7n, chain: Buffer.alloc(32, 7) }, { shard: 1, head: 0n, chain: Buffer.alloc(32) }]
}

const refusal = (file: string, key = publicKey): string => {
  try {
    readAnchor(file, key)
    return 'taken'
  } catch (error) {
    if (!(error instanceof AnchorError)) throw error
    return error.code
  }
}

test('what was signed is read back', async t => {
  const file = signAnchor(anchor, privateKey)
  t.same(readAnchor(file, publicKey), anchor)
  t.same(readAnchor(file.trimEnd(), createPublicKey(privateKey)), anchor, 'also without the last line end, with the public half of the private key')
  t.equal(file.split('\n')[0], `{"format":"loyalty-ledger-anchor/1","made_at":"2026-01-02T03:04:05.678Z","events":7,"shards":[{"shard":0,"head":7,"chain":"${'07'.repeat(32)}"},{"shard":1,"head":0,"chain":"${'00'.repeat(32)}"}]}`)
  t.equal(signAnchor(anchor, privateKey), file, 'the same state gives the same file')
})

test('a byte that is changed anywhere is noticed', async t => {
  const file = Buffer.from(signAnchor(anchor, privateKey))
  fc.assert(fc.property(fc.nat(file.length - 2), fc.integer({ min: 1, max: 255 }), (at, flip) => {
    const changed = Buffer.from(file)
    changed[at]! ^= flip
    const code = refusal(changed.toString('latin1'))
    // The last digit of base64 has bits that mean nothing.
    return code !== 'taken' || sameSignature(changed, file)
  }))
  t.equal(refusal(file.toString().replace('"head":7', '"head":6')), 'anchor_forged')
  t.equal(refusal(file.toString().replace('"events":7', '"events": 7')), 'anchor_forged', 'also a space')
})

function sameSignature (one: Buffer, other: Buffer): boolean {
  const bytes = (file: Buffer): Buffer => Buffer.from(/"signature":"([^"]*)"/.exec(file.toString('latin1'))?.[1] ?? '', 'base64')
  return bytes(one).equals(bytes(other))
}

test('keys: the configured one decides, and only Ed25519 will do', async t => {
  const other = generateKeyPairSync('ed25519')
  const file = signAnchor(anchor, privateKey)
  t.equal(refusal(file, other.publicKey), 'anchor_untrusted')
  const forged = signAnchor(anchor, other.privateKey)
  t.equal(refusal(forged), 'anchor_untrusted', 'signed by another')
  const own = /"public_key":"([^"]*)"/
  const pretended = forged.replace(own, own.exec(file)![0])
  t.equal(refusal(pretended), 'anchor_forged', 'signed by another who names the right key')

  const wrong = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  t.throws(() => signAnchor(anchor, wrong.privateKey), { code: 'anchor_key_unusable', message: /a private key of type ec; a private Ed25519 key is needed/ })
  t.throws(() => readAnchor(file, wrong.publicKey), { code: 'anchor_key_unusable' })
  t.throws(() => signAnchor(anchor, publicKey), { code: 'anchor_key_unusable' })
})

test('what is no anchor is refused, signed or not', async t => {
  const resigned = (heads: string): string => {
    const signature = { algorithm: 'Ed25519', public_key: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'), signature: sign(null, Buffer.from(heads), privateKey).toString('base64') }
    return `${heads}\n${JSON.stringify(signature)}\n`
  }
  const [heads = '', signature = ''] = signAnchor(anchor, privateKey).split('\n')
  t.equal(refusal(resigned(heads)), 'taken', 'the signing of this test is right')
  for (const file of ['', '{}', heads, `${signature}\n${heads}`, `${heads}\n${signature}\n${signature}`, `${heads}\n${signature.replace('Ed25519', 'none')}`, '\u0000', 'null\nnull']) {
    t.equal(refusal(file), 'anchor_malformed', JSON.stringify(file.slice(0, 30)))
  }
  t.equal(refusal(resigned(heads.replace('anchor/1', 'anchor/2'))), 'anchor_format_unknown')
  t.equal(refusal(resigned('null')), 'anchor_format_unknown')
  t.equal(refusal(resigned('not JSON')), 'anchor_format_unknown')
  t.equal(refusal(resigned(heads.replace('"events":7', '"events":8'))), 'anchor_malformed', 'counts that do not add up')
  t.equal(refusal(resigned(heads.replace('"head":7', '"head":-7'))), 'anchor_malformed')
})
