import { Type } from '@sinclair/typebox'
import { AnyJson, NullableText, NullableTime, Time } from './common.ts'

const Digest = (description: string) => Type.String({ description: `${description}; hex` })

const event = {
  event_id: Type.String(),
  subject: Type.String(),
  provider: Type.String({ description: 'Name of the provider that sent it; ledger: the ledger itself' }),
  position: Type.String({ description: 'shard:position' }),
  type: Type.String(),
  customer_id: NullableText(),
  occurred_at: NullableTime(),
  recorded_at: Time({ description: 'When the ledger first stored it' }),
  test: Type.Boolean({ description: 'A test delivery of the provider: never projected' }),
  send_out_id: NullableText({ description: 'The provider\'s send-out that delivered it first; for diagnostics' }),
  sender_kind: NullableText({ description: 'webhook or distribution; api: the ledger asked for it' }),
  sender_id: NullableText(),
  group_id: NullableText({ description: 'The API request at the provider; several events can share it' }),
  project_id: NullableText(),
  channel: NullableText(),
  body_digest: Digest('sha256 of the body as received'),
  fact_digest: Digest('sha256 of the facts about the subject'),
  chain: Digest('sha256 over the previous chain value and this event'),
  erased_by: NullableText({ description: 'The newest erasure event that removed personal data from the body; null: the body is as received' })
}

export const Event = Type.Object(event, { $id: 'Event' })
export const EventWithBody = Type.Object({
  ...event,
  body: AnyJson({ description: 'The delivery' }),
  body_text: Type.String({ description: 'The delivery exactly as received; body_digest is over these bytes. If erased_by is set, personal data is removed' })
}, { $id: 'EventWithBody' })
