import { Type } from '@sinclair/typebox'
import { NullableTime } from './common.ts'

const moment = { maxLength: 64, examples: ['2026-01-31T23:59:59.999999Z'] }

/** Query of every read that can look back. */
export const AsOfQuery = {
  at: Type.Optional(Type.String({ ...moment, description: 'What had happened by this moment, inclusive. RFC 3339 with a time zone.' })),
  known_at: Type.Optional(Type.String({ ...moment, description: 'What we had stored by this moment, inclusive. RFC 3339 with a time zone.' }))
}

/** The clocks as an answer names them. */
export const AsOfEcho = {
  at: NullableTime({ description: 'As asked for; null: everything that happened' }),
  known_at: NullableTime({ description: 'As asked for; null: everything known' })
}
