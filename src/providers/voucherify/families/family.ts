import { SOURCE_RANK, type Fact, type SourceRank } from '../../../ledger/facts.ts'
import type { Instant } from '../../../ledger/instant.ts'
import type { Envelope } from '../wire/envelope.ts'
import type { JsonObject } from '../wire/json.ts'
import type { Core } from '../payloads/decoder.ts'

/** What a family reads in a payload. */
export interface Reading {
  /** For bare data only: the identity that an envelope would have carried. Undefined: such data is never sent bare. */
  bare?: { event_id: string, type: string }
  subject: string
  customer_id: string | null
  occurred_at: Instant | null
  facts: Fact[]
  /** The facts about the subject, from which the fact digest is made: equal for every send of one fact. */
  core: Core
  /** Ids that show whether it is a test delivery. */
  ids: readonly unknown[]
}

/**
 * One event family: the payloads of one shape. Its schema requires what identity and the fold need. Everything else is
 * optional and nullable, because the provider's own samples break its schema; unknown fields are ignored.
 */
export interface Family {
  types: readonly string[]
  /** Does bare data, which carries no type, have this family's fields? */
  recognises: (data: JsonObject) => boolean
  /** @throws UnreadablePayload */
  read: (envelope: Envelope) => Reading
}

/** The source rank of a payload by its shape: bare data carries less than the same data in an envelope. */
export function sourceRankOf (envelope: Envelope): SourceRank {
  return envelope.shape === 'bare' ? SOURCE_RANK.bare : SOURCE_RANK.enveloped
}
