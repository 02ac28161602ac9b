import type { Provider } from '../provider.ts'
import { pull } from './api/pull.ts'
import { differencesBetween } from './differences.ts'
import { files } from './files.ts'
import { coversFacts, factsOf, identify, identifyAsUnread } from './identify.ts'
import { mentionedIds } from './mentioned-ids.ts'
import { identifyingTexts } from './privacy/identifying-texts.ts'
import { redact } from './privacy/redaction.ts'
import { recompute } from './rules/recompute.ts'
import { isAuthentic, sign, SIGNATURE_HEADER } from './wire/signature.ts'

/** Voucherify, by its webhooks, its exports and its API. */
export const voucherify: Provider = {
  name: 'voucherify',
  webhook: {
    title: 'Voucherify',
    signature_headers: [SIGNATURE_HEADER],
    signature: 'the hex HMAC-SHA256 of the body under the webhook secret',
    body: 'An envelope of version 2024-01-01 or 2018-08-01, or the bare data of an award or an order'
  },
  authenticate (body, headers, secrets) {
    const signature = headers[SIGNATURE_HEADER]
    if (typeof signature !== 'string') return 'signature_missing'
    return isAuthentic(body, signature, secrets) ? 'authentic' : 'signature_invalid'
  },
  sign: (body, secret) => ({ [SIGNATURE_HEADER]: sign(body, secret) }),
  identify,
  identifyAsUnread,
  factsOf,
  coversFacts,
  mentionedIds,
  differences: differencesBetween,
  recompute,
  redact,
  identifyingTexts,
  files,
  pull
}
