import { createHmac, timingSafeEqual } from 'node:crypto'
import { parseBody, withoutInsignificantWhitespace } from './json.ts'

/** Header that carries the signature: lower-case hex HMAC-SHA256, one secret a project. */
export const SIGNATURE_HEADER = 'x-voucherify-signature'

const HEX_SHA256 = /^[0-9a-f]{64}$/i

/**
 * Is a delivery authentic? The provider signs the JSON without insignificant whitespace, so the raw bytes are tried
 * first, and then the bytes without whitespace outside strings. Never parse and serialise again to verify: number
 * forms, escapes and key order differ. The signed text has no timestamp; permanent de-duplication is the protection
 * against replays.
 * @param secrets every secret in force, newest first: retries outlive a rotation. None means not authentic.
 */
export function isAuthentic (body: Buffer, signature: string | undefined, secrets: readonly string[]): boolean {
  if (signature === undefined || !HEX_SHA256.test(signature)) return false
  // An empty key is no secret: anyone can sign with it.
  const keys = secrets.filter(secret => secret !== '')
  const claimed = Buffer.from(signature, 'hex')
  if (keys.some(secret => timingSafeEqual(claimed, hmac(body, secret)))) return true
  const compact = withoutInsignificantWhitespace(body)
  if (compact.length === body.length) return false
  // Whitespace inside a number or a word is significant: it makes another text, which nobody signed.
  return keys.some(secret => timingSafeEqual(claimed, hmac(compact, secret))) && isJson(body)
}

function isJson (body: Buffer): boolean {
  const parsed = parseBody(body)
  return 'json' in parsed || (parsed.reason !== 'not_json' && parsed.reason !== 'not_utf8')
}

/** Signs bytes as the provider does. */
export function sign (body: Buffer | string, secret: string): string {
  return hmac(body, secret).toString('hex')
}

function hmac (body: Buffer | string, secret: string): Buffer {
  return createHmac('sha256', secret).update(body).digest()
}
