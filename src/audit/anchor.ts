import { createPublicKey, sign, verify, type KeyObject } from 'node:crypto'
import { Type, type Static } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'

/** The state of the whole log at a moment. The chain value of a head covers every event up to it. */
export interface Anchor {
  /** RFC 3339, by the clock of the machine that made it. */
  made_at: string
  /** The number of events in the log. */
  events: bigint
  shards: Array<{ shard: number, head: bigint, chain: Buffer }>
}

/** An anchor that cannot be used: `code` is stable, `message` says what to do. */
export class AnchorError extends Error {
  override name = 'AnchorError'
  readonly code: 'anchor_malformed' | 'anchor_format_unknown' | 'anchor_untrusted' | 'anchor_forged' | 'anchor_key_unusable'

  constructor (code: AnchorError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

const FORMAT = 'loyalty-ledger-anchor/1'
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
  /** SubjectPublicKeyInfo, DER, base64. Only says which key to look for; it is never trusted. */
  public_key: Type.String(),
  signature: Type.String()
}, { additionalProperties: false })

/**
 * Signs an anchor. The result has two lines: the heads as JSON, then the signature. It is an Ed25519 signature (RFC
 * 8032, unhashed) over the exact bytes of the first line without its newline: `openssl pkeyutl -verify -rawin`
 * can check it.
 * @throws AnchorError anchor_key_unusable
 */
export function signAnchor ({ made_at, events, shards }: Anchor, key: KeyObject): string {
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
 * Reads an anchor and checks that it was signed with the private key that belongs to `key`.
 * @throws AnchorError
 */
export function readAnchor (file: string, key: KeyObject): Anchor {
  requireEd25519(key, 'public')
  const [heads = '', second = '', ...rest] = file.split('\n')
  const signature = parse(second)
  if (!Value.Check(Signature, signature) || rest.some(line => line !== '')) {
    throw new AnchorError('anchor_malformed', 'This is not an anchor: it must have two lines of JSON, the heads and their Ed25519 signature. Use the file exactly as `loyalty-ledger anchor` wrote it.')
  }
  if (signature.public_key !== spki(key)) {
    throw new AnchorError('anchor_untrusted', 'The anchor was signed with another key than the configured one. If the key was changed since then, set ANCHOR_PUBLIC_KEY_FILE to the old public key. Otherwise do not trust this file.')
  }
  if (!verify(null, Buffer.from(heads), key, Buffer.from(signature.signature, 'base64'))) {
    throw new AnchorError('anchor_forged', 'The signature of the anchor is wrong: the file was changed after it was signed. Use another copy of it.')
  }
  return readHeads(heads)
}

// Runs after the signature check: whatever is wrong here was signed so.
function readHeads (line: string): Anchor {
  const heads = parse(line)
  const format = (heads as { format?: unknown } | null)?.format
  if (format !== FORMAT) {
    throw new AnchorError('anchor_format_unknown', `The anchor has format ${JSON.stringify(format)}; this version reads ${FORMAT}. Use the version that made it, or a newer one.`)
  }
  if (!Value.Check(Heads, heads) || heads.events !== heads.shards.reduce((sum, { head }) => sum + head, 0)) {
    throw new AnchorError('anchor_malformed', 'The anchor is signed, but its heads are invalid. It was not made by `loyalty-ledger anchor`.')
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
  throw new AnchorError('anchor_key_unusable', `The anchor key is a ${key.type} key of type ${key.asymmetricKeyType ?? 'unknown'}; a ${type} Ed25519 key is needed. \`openssl genpkey -algorithm ed25519\` makes one.`)
}
