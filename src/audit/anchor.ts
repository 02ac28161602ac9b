import { createPublicKey, sign, verify, type KeyObject } from 'node:crypto'
import { Type, type Static } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'

/** The state of the whole log at a moment: with the heads goes all that is before them. */
export interface Checkpoint {
  /** RFC 3339, on the clock of the machine that made it. */
  made_at: string
  /** How many events there were. */
  events: bigint
  shards: Array<{ shard: number, head: bigint, chain: Buffer }>
}

/** A checkpoint that cannot be used: a stable code, and a sentence that says what to do. */
export class CheckpointError extends Error {
  override name = 'CheckpointError'
  readonly code: 'checkpoint_malformed' | 'checkpoint_format_unknown' | 'checkpoint_untrusted' | 'checkpoint_forged' | 'checkpoint_key_unusable'

  constructor (code: CheckpointError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

const FORMAT = 'loyalty-ledger-checkpoint/1'
const CHAIN_HEX = '^[0-9a-f]{64}$'

const Heads = Type.Object({
  format: Type.Literal(FORMAT),
  made_at: Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d+)?Z$' }),
  events: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  shards: Type.Array(Type.Object({
    shard: Type.Integer({ minimum: 0, maximum: 32_767 }),
    head: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
    chain: Type.String({ pattern: CHAIN_HEX })
  }, { additionalProperties: false }))
}, { additionalProperties: false })

const Signature = Type.Object({
  algorithm: Type.Literal('Ed25519'),
  /** SubjectPublicKeyInfo, DER, base64. Says which key to look for; it is never believed. */
  public_key: Type.String(),
  signature: Type.String()
}, { additionalProperties: false })

/**
 * Signs a checkpoint. The file has two lines: the heads as JSON, and over the exact bytes of that line, without its end, an
 * Ed25519 signature (RFC 8032, unhashed), so that `openssl pkeyutl -verify -rawin` can check it, too.
 * @throws CheckpointError checkpoint_key_unusable
 */
export function signCheckpoint ({ made_at, events, shards }: Checkpoint, key: KeyObject): string {
  requireEd25519(key, 'private')
  const heads = JSON.stringify({
    format: FORMAT,
    made_at,
    events: Number(events),
    shards: shards.map(({ shard, head, chain }) => ({ shard, head: Number(head), chain: chain.toString('hex') }))
  } satisfies Static<typeof Heads>)
  const signature = JSON.stringify({
    algorithm: 'Ed25519',
    public_key: spki(createPublicKey(key)),
    signature: sign(null, Buffer.from(heads), key).toString('base64')
  } satisfies Static<typeof Signature>)
  return `${heads}\n${signature}\n`
}

/**
 * Reads a checkpoint that was signed with the private half of `key`.
 * @throws CheckpointError
 */
export function readCheckpoint (file: string, key: KeyObject): Checkpoint {
  requireEd25519(key, 'public')
  const [heads = '', second = '', ...rest] = file.split('\n')
  const signature = parse(second)
  if (!Value.Check(Signature, signature) || rest.some(line => line !== '')) {
    throw new CheckpointError('checkpoint_malformed', 'This is no checkpoint: it must have two lines of JSON, the heads and their Ed25519 signature. Take the file as `loyalty-ledger checkpoint` wrote it.')
  }
  if (signature.public_key !== spki(key)) {
    throw new CheckpointError('checkpoint_untrusted', 'The checkpoint was signed with another key than the configured one. If the key was changed since, set CHECKPOINT_PUBLIC_KEY_FILE to the public key of then; if not, do not trust this file.')
  }
  if (!verify(null, Buffer.from(heads), key, Buffer.from(signature.signature, 'base64'))) {
    throw new CheckpointError('checkpoint_forged', 'The signature of the checkpoint is wrong: the file was changed after it was signed. Take another copy of it.')
  }
  return readHeads(heads)
}

// After the signature: from here on, what is odd was signed so.
function readHeads (line: string): Checkpoint {
  const heads = parse(line)
  const format = (heads as { format?: unknown } | null)?.format
  if (format !== FORMAT) {
    throw new CheckpointError('checkpoint_format_unknown', `The checkpoint has format ${JSON.stringify(format)}; this version reads ${FORMAT}. Use the version that made it, or a newer one.`)
  }
  if (!Value.Check(Heads, heads) || heads.events !== heads.shards.reduce((sum, { head }) => sum + head, 0)) {
    throw new CheckpointError('checkpoint_malformed', 'The checkpoint is signed, but its heads make no sense. It was not made by `loyalty-ledger checkpoint`.')
  }
  return {
    made_at: heads.made_at,
    events: BigInt(heads.events),
    shards: heads.shards.map(({ shard, head, chain }) => ({ shard, head: BigInt(head), chain: Buffer.from(chain, 'hex') }))
  }
}

function parse (line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

function spki (key: KeyObject): string {
  return key.export({ type: 'spki', format: 'der' }).toString('base64')
}

function requireEd25519 (key: KeyObject, type: 'private' | 'public'): void {
  if (key.type === type && key.asymmetricKeyType === 'ed25519') return
  throw new CheckpointError('checkpoint_key_unusable', `The checkpoint key is ${key.asymmetricKeyType ?? key.type}, ${key.type}; an Ed25519 key is needed, ${type}. \`openssl genpkey -algorithm ed25519\` makes one.`)
}
