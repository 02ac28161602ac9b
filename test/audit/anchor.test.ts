import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import fc from 'fast-check'
import { test } from 'tap'
import { CheckpointError, readCheckpoint, signCheckpoint, type Checkpoint } from '../../src/audit/anchor.ts'

const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const checkpoint: Checkpoint = {
  made_at: '2026-01-02T03:04:05.678Z',
  events: 7n,
  shards: [{ shard: 0, head: 7n, chain: Buffer.alloc(32, 7) }, { shard: 1, head: 0n, chain: Buffer.alloc(32) }]
}

const refusal = (file: string, key = publicKey): string => {
  try {
    readCheckpoint(file, key)
    return 'taken'
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error
    return error.code
  }
}

test('what was signed is read back', async t => {
  const file = signCheckpoint(checkpoint, privateKey)
  t.same(readCheckpoint(file, publicKey), checkpoint)
  t.same(readCheckpoint(file.trimEnd(), createPublicKey(privateKey)), checkpoint, 'also without the last line end, with the public half of the private key')
  t.equal(file.split('\n')[0], `{"format":"loyalty-ledger-checkpoint/1","made_at":"2026-01-02T03:04:05.678Z","events":7,"shards":[{"shard":0,"head":7,"chain":"${'07'.repeat(32)}"},{"shard":1,"head":0,"chain":"${'00'.repeat(32)}"}]}`)
  t.equal(signCheckpoint(checkpoint, privateKey), file, 'the same state gives the same file')
})

test('a byte that is changed anywhere is noticed', async t => {
  const file = Buffer.from(signCheckpoint(checkpoint, privateKey))
  fc.assert(fc.property(fc.nat(file.length - 2), fc.integer({ min: 1, max: 255 }), (at, flip) => {
    const changed = Buffer.from(file)
    changed[at]! ^= flip
    const code = refusal(changed.toString('latin1'))
    // The last digit of base64 has bits that mean nothing.
    return code !== 'taken' || sameSignature(changed, file)
  }))
  t.equal(refusal(file.toString().replace('"head":7', '"head":6')), 'checkpoint_forged')
  t.equal(refusal(file.toString().replace('"events":7', '"events": 7')), 'checkpoint_forged', 'also a space')
})

function sameSignature (one: Buffer, other: Buffer): boolean {
  const bytes = (file: Buffer): Buffer => Buffer.from(/"signature":"([^"]*)"/.exec(file.toString('latin1'))?.[1] ?? '', 'base64')
  return bytes(one).equals(bytes(other))
}

test('keys: the configured one decides, and only Ed25519 will do', async t => {
  const other = generateKeyPairSync('ed25519')
  const file = signCheckpoint(checkpoint, privateKey)
  t.equal(refusal(file, other.publicKey), 'checkpoint_untrusted')
  const forged = signCheckpoint(checkpoint, other.privateKey)
  t.equal(refusal(forged), 'checkpoint_untrusted', 'signed by another')
  const own = /"public_key":"([^"]*)"/
  const pretended = forged.replace(own, own.exec(file)![0])
  t.equal(refusal(pretended), 'checkpoint_forged', 'signed by another who names the right key')

  const wrong = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  t.throws(() => signCheckpoint(checkpoint, wrong.privateKey), { code: 'checkpoint_key_unusable', message: /ec, private; an Ed25519 key is needed, private/ })
  t.throws(() => readCheckpoint(file, wrong.publicKey), { code: 'checkpoint_key_unusable' })
  t.throws(() => signCheckpoint(checkpoint, publicKey), { code: 'checkpoint_key_unusable' })
})

test('what is no checkpoint is refused, signed or not', async t => {
  const resigned = (heads: string): string => {
    const signature = { algorithm: 'Ed25519', public_key: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'), signature: sign(null, Buffer.from(heads), privateKey).toString('base64') }
    return `${heads}\n${JSON.stringify(signature)}\n`
  }
  const [heads = '', signature = ''] = signCheckpoint(checkpoint, privateKey).split('\n')
  t.equal(refusal(resigned(heads)), 'taken', 'the signing of this test is right')
  for (const file of ['', '{}', heads, `${signature}\n${heads}`, `${heads}\n${signature}\n${signature}`, `${heads}\n${signature.replace('Ed25519', 'none')}`, '\u0000', 'null\nnull']) {
    t.equal(refusal(file), 'checkpoint_malformed', JSON.stringify(file.slice(0, 30)))
  }
  t.equal(refusal(resigned(heads.replace('checkpoint/1', 'checkpoint/2'))), 'checkpoint_format_unknown')
  t.equal(refusal(resigned('null')), 'checkpoint_format_unknown')
  t.equal(refusal(resigned('not JSON')), 'checkpoint_format_unknown')
  t.equal(refusal(resigned(heads.replace('"events":7', '"events":8'))), 'checkpoint_malformed', 'counts that do not add up')
  t.equal(refusal(resigned(heads.replace('"head":7', '"head":-7'))), 'checkpoint_malformed')
})
