import { Type } from '@sinclair/typebox'
import { NullableTime } from './common.ts'

const moment = { maxLength: 64, examples: ['2026-01-31T23:59:59.999999Z'] }

/** Query parameters of every read that can ask about the past. */
export const AsOfQuery = {
  at: Type.Optional(Type.String({ ...moment, description: 'Answer with what had happened by this moment (inclusive). RFC 3339 with a time zone.' })),
  known_at: Type.Optional(Type.String({ ...moment, description: 'Answer with what the ledger had stored by this moment (inclusive). RFC 3339 with a time zone.' }))
}

/** The as-of times as an answer repeats them. */
export const AsOfEcho = {
  at: NullableTime({ description: 'As in the query; null: everything that happened' }),
  known_at: NullableTime({ description: 'As in the query; null: everything known now' })
}
