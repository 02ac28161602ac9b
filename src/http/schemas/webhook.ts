import { Type } from '@sinclair/typebox'

const Stored = {
  event_id: Type.String(),
  subject: Type.String({ description: 'What the event is about; part of the event\'s key' }),
  position: Type.String({ description: 'shard:position of the stored event; a read with min_position waits for it', examples: ['7:123'] })
}

export const Accepted = Type.Object({ status: Type.Literal('accepted'), ...Stored }, { description: 'The event is stored now' })
export const Duplicate = Type.Object({ status: Type.Literal('duplicate'), ...Stored }, { description: 'The event was already stored; position is the original one' })
export const Quarantined = Type.Object({
  status: Type.Literal('quarantined'),
  quarantine_id: Type.String(),
  reason: Type.String({ description: 'not_utf8, not_json, not_an_object, too_deep, unidentified, invalid_payload, reserved_type, unstorable, defect or conflict' }),
  detail: Type.String({ description: 'Which field, and why' })
}, { description: 'Authentic, but cannot be processed yet: stored byte for byte' })
