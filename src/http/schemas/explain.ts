import { Type, type Static, type TSchema } from '@sinclair/typebox'
import { line } from './card.ts'
import { AnyJson, Int, NullableInt, NullableText, Time } from './common.ts'

const said = {
  kind: Type.String(),
  points: NullableInt({ description: 'Signed; null where it does not say how many' }),
  reported_balance: NullableInt(),
  occurred_at: Time(),
  order_id: NullableText(),
  earning_rule_id: NullableText()
}

const Observation = Type.Object({
  event_id: Type.String(),
  subject: Type.String(),
  type: Type.String({ description: 'The event\'s type' }),
  position: Type.String({ description: 'shard:position in the log', examples: ['7:123'] }),
  recorded_at: Time({ description: 'When we first stored it; UTC, with microseconds' }),
  sender_kind: NullableText({ description: 'What sent it: webhook or distribution; null for bare data' }),
  sender_id: NullableText(),
  channel: NullableText(),
  send_out_id: NullableText({ description: 'The send-out that brought it first' }),
  source_rank: Type.String({ description: 'How well source_rank it is, best first: transaction, exported, enveloped, bare, priced' }),
  fact_digest: Type.String({ description: 'sha256 of the facts about the subject; hex' }),
  body_digest: Type.String({ description: 'sha256 of the body; hex' }),
  says: Type.Object({ ...said, details: AnyJson({ description: 'What else explains the movement, as this event tells it' }) })
}, { $id: 'Telling' })

// Not a union with null: to choose between its parts the serializer would check them, and it knows no bigint there.
function Nullable<T extends TSchema> (schema: T) {
  return Type.Unsafe<Static<T> | null>({ ...schema, nullable: true })
}

const EventKey = Type.Object({ event_id: Type.String(), subject: Type.String() })

const Won = Type.Object(
  {
    kind: Nullable(EventKey),
    points: Nullable(EventKey),
    reported_balance: Nullable(EventKey),
    occurred_at: Nullable(EventKey),
    order_id: Nullable(EventKey),
    earning_rule_id: Nullable(EventKey)
  },
  { description: 'Which event each field of the line is from; null where none told it' }
)

const Recomputed = Type.Object({
  points: Int({ description: 'What the rule in the payload gives' }),
  agrees: Type.Boolean(),
  base: NullableText({ description: 'What the rule counts, in decimals; null for a fixed rule' }),
  rule: Type.String({ description: 'For people', examples: ['10 points for every 500 of order.total_amount'] }),
  remark: NullableText({ description: 'For people' })
}, { description: 'Advice: the provider\'s figure stands' })

const Gap = Type.Object({
  after_movement_id: NullableText({ description: 'The line before it' }),
  before_movement_id: Type.String({ description: 'The movement at which the difference showed' }),
  our_balance: Int({ description: 'By the movements we know' }),
  implied_balance: Int({ description: 'Before the movement, by what the provider states after it' })
}, { description: 'Where an unexplained line stands' })

export const ExplainedLine = Type.Object({
  ...line,
  observed_in: Type.Array(Observation, { description: 'Every event that told it, best source_rank first; of an unexplained line none did' }),
  won: Nullable(Won),
  recomputed: Nullable(Recomputed),
  gap: Nullable(Gap),
  remark: NullableText({ description: 'For people: why points are unexplained, what the card opened with, why an award could not be recomputed' })
}, { $id: 'ExplainedLine' })
