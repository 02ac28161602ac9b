import { Type } from '@sinclair/typebox'
import { AnyJson, Int, NullableText, NullableTime, Time } from './common.ts'

const State = Type.Unsafe<'open' | 'redriven' | 'discarded'>({
  type: 'string',
  enum: ['open', 'redriven', 'discarded'],
  description: 'open: waits for a decision; redriven: its event is stored; discarded: an operator marked it as not wanted'
})

const row = {
  quarantine_id: Type.String(),
  state: State,
  reason: Type.String({ description: 'not_utf8, not_json, not_an_object, too_deep, unidentified, invalid_payload, reserved_type, unstorable, unknown_provider, defect, conflict or contradicts_movement; while open, as of the newest attempt' }),
  detail: Type.String({ description: 'Which field, and why' }),
  event_id: NullableText({ description: 'With subject: the stored event that a conflicting delivery contradicts, or that a redriven one contains' }),
  subject: NullableText(),
  position: NullableText({ description: 'shard:position of that event' }),
  body_bytes: Type.Integer(),
  first_seen_at: Time({ description: 'When these bytes were first received' }),
  last_seen_at: Time({ description: 'When they were last received' }),
  times_seen: Int({ description: 'How often these bytes were received and quarantined' }),
  decided_at: NullableTime({ description: 'When it was redriven or discarded' }),
  decided_by: NullableText({ description: 'Who decided: an API key by id and name, or command line' }),
  discard_reason: NullableText({ description: 'Why it is not wanted' })
}

const Differing = Type.Array(Type.Object({
  path: Type.String({ examples: ['data.balance.points'] }),
  stored: Type.String({ description: 'JSON text, shortened if it is long; the word absent, without quotes, if the field is missing' }),
  received: Type.String()
}))

export const QuarantineRowSchema = Type.Object(row, { $id: 'QuarantineRow' })

export const QuarantineDetails = Type.Object({
  ...row,
  headers: AnyJson({ description: 'The headers that a later redrive needs' }),
  body: Type.String({ description: 'The delivery as received: as text, or as base64 if it is not UTF-8' }),
  body_encoding: Type.Unsafe<'utf-8' | 'base64'>({ type: 'string', enum: ['utf-8', 'base64'] }),
  stored: Type.Union([Type.Object({
    event_id: Type.String(),
    subject: Type.String(),
    position: Type.String({ description: 'shard:position' }),
    type: Type.String(),
    recorded_at: Time({ description: 'When the ledger first stored it' }),
    body_text: Type.String({ description: 'The stored version, as received' })
  }), Type.Null()], { description: 'The stored event that event_id and subject name' }),
  differences: Type.Union([Type.Object({
    facts: Differing,
    fields: Differing,
    more_fields: Type.Integer({ description: 'Number of differing fields that are not listed' })
  }), Type.Null()], { description: 'For a conflict: how the delivery differs from the stored event, in the facts that the ledger derives (facts) and in the payloads (fields)' })
})

export const RedrivenSchema = Type.Object({
  status: Type.Literal('redriven'),
  event: Type.Unsafe<'accepted' | 'duplicate'>({ type: 'string', enum: ['accepted', 'duplicate'], description: 'accepted: stored now; duplicate: was already stored' }),
  event_id: Type.String(),
  subject: Type.String(),
  position: Type.String({ description: 'shard:position of the stored event; a read with min_position waits for it', examples: ['7:123'] })
})

export const Discard = Type.Object({
  reason: Type.String({ minLength: 1, maxLength: 1000, pattern: '\\S', description: 'Why it is not wanted; stored with the row' })
}, { additionalProperties: false })

export const QuarantineQuery = {
  state: Type.Unsafe<'open' | 'redriven' | 'discarded'>({ type: 'string', enum: ['open', 'redriven', 'discarded'], default: 'open' }),
  reason: Type.Optional(Type.String({ maxLength: 100, description: 'Only rows quarantined for this reason' }))
}
