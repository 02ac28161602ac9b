import { Type, type Static, type TSchema } from '@sinclair/typebox'
import { line } from './card.ts'
import { AnyJson, Int, NullableInt, NullableText, NullableTime, Time } from './common.ts'

const said = {
  kind: Type.String(),
  points: NullableInt({ description: 'Signed; null if the event does not state it' }),
  reported_balance: NullableInt(),
  observed_balance: NullableInt({ description: 'The balance of a snapshot in the event that is dated at the movement' }),
  occurred_at: Time(),
  order_id: NullableText(),
  earning_rule_id: NullableText()
}

const Observation = Type.Object({
  event_id: Type.String(),
  subject: Type.String(),
  type: Type.String({ description: 'The event\'s type' }),
  position: Type.String({ description: 'shard:position in the log', examples: ['7:123'] }),
  recorded_at: Time({ description: 'When the ledger first stored it; UTC, with microseconds' }),
  sender_kind: NullableText({ description: 'What sent the event: webhook or distribution; api: the ledger asked for it; null for bare data' }),
  sender_id: NullableText(),
  channel: NullableText(),
  send_out_id: NullableText({ description: 'The provider\'s send-out that delivered it first' }),
  source_rank: Type.String({ description: 'How good the source is, best first: transaction, exported, enveloped, bare, priced' }),
  fact_digest: Type.String({ description: 'sha256 of the facts about the subject; hex' }),
  body_digest: Type.String({ description: 'sha256 of the body; hex' }),
  says: Type.Object({ ...said, details: AnyJson({ description: 'Further explanation of the movement in this event' }) })
}, { $id: 'Observation' })

// Not a union with null: the serializer would validate the value to choose a member, and validation refuses bigint.
function Nullable<T extends TSchema> (schema: T) {
  return Type.Unsafe<Static<T> | null>({ ...schema, nullable: true })
}

const EventKey = Type.Object({ event_id: Type.String(), subject: Type.String() })

const Won = Type.Object(
  {
    kind: Nullable(EventKey),
    points: Nullable(EventKey),
    reported_balance: Nullable(EventKey),
    observed_balance: Nullable(EventKey),
    occurred_at: Nullable(EventKey),
    order_id: Nullable(EventKey),
    earning_rule_id: Nullable(EventKey)
  },
  { description: 'The event that each field of the line comes from; null if no event states it' }
)

const Recomputed = Type.Object({
  points: Int({ description: 'The points that the rule in the payload gives' }),
  agrees: Type.Boolean(),
  base: NullableText({ description: 'The amount that the rule is applied to, as a decimal; null for a fixed rule' }),
  rule: Type.String({ description: 'For people', examples: ['10 points for every 500 of order.total_amount'] }),
  remark: NullableText({ description: 'For people' })
}, { description: 'For information: the ledger uses the provider\'s points' })

const Gap = Type.Object({
  after_movement_id: NullableText({ description: 'The previous line' }),
  before_movement_id: NullableText({ description: 'The movement whose reported balance revealed the difference; null if a snapshot of the card did' }),
  snapshot_at: NullableTime({ description: 'The time of the snapshot that revealed it; null if a movement did' }),
  our_balance: Int({ description: 'The balance by the known movements' }),
  implied_balance: Int({ description: 'The balance before the movement, computed from the reported balance after it; or that of the snapshot' })
}, { description: 'The place of an unexplained line, and the balances before and after it' })

export const ExplainedLineSchema = Type.Object({
  ...line,
  observed_in: Type.Array(Observation, { description: 'Every event that reports it, best source rank first; empty for an unexplained line' }),
  won: Nullable(Won),
  recomputed: Nullable(Recomputed),
  gap: Nullable(Gap),
  remark: NullableText({ description: 'For people: why points are unexplained, what the card opened with, why an award could not be recomputed' })
}, { $id: 'ExplainedLine' })
