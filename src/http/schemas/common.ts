import { Type, type TSchema } from '@sinclair/typebox'
import { MAX_LIMIT } from '../paging.ts'

/** A JSON integer that is a bigint in the code, so it is exact at any size. */
export function Int (options: object = {}) {
  return Type.Unsafe<bigint>({ type: 'integer', format: 'int64', ...options })
}

// The serializer accepts a bigint for `type: integer` with `nullable`, but not for `type: [integer, null]`, which is
// the OpenAPI 3.1 form. plugins/openapi.ts rewrites the former as the latter.
export function NullableInt (options: object = {}) {
  return Type.Unsafe<bigint | null>({ type: 'integer', nullable: true, format: 'int64', ...options })
}

export function NullableText (options: object = {}) {
  return Type.Unsafe<string | null>({ type: ['string', 'null'], ...options })
}

/** A time, always in UTC with microseconds: 2024-01-18T15:19:20.676000Z. */
export function Time (options: object = {}) {
  return Type.String({ description: 'UTC, with microseconds', examples: ['2024-01-18T15:19:20.676000Z'], ...options })
}

export function NullableTime (options: object = {}) {
  return NullableText({ description: 'UTC, with microseconds', ...options })
}

/** When a card or an order was parked; null in the normal case. */
export function ParkedAt () {
  return NullableTime({ description: 'null: every event up to the position is included. Otherwise the time at which an event about it could not be folded. That event and all later ones are then not included until a redrive (loyalty-ledger parked)' })
}

/** Any JSON value. */
export function AnyJson (options: object = {}) {
  return Type.Unsafe<unknown>({ ...options })
}

export const ProblemSchema = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  code: Type.String({ description: 'Stable, for programs' }),
  detail: Type.String({ description: 'What to do next, for people' })
}, { $id: 'Problem', description: 'RFC 9457 problem details' })

/** The problem responses of a route, by status. */
export function problems<Status extends number> (...statuses: Status[]): Record<Status, TSchema> {
  const answers = [...statuses, 500].map(status => [status, {
    description: `Problem: ${MEANINGS[status] ?? 'refused'}`,
    content: { 'application/problem+json': { schema: Type.Ref('Problem') } }
  }])
  return Object.fromEntries(answers) as Record<Status, TSchema>
}

const MEANINGS: Record<number, string> = {
  400: 'the request is malformed',
  401: 'not authenticated',
  403: 'not allowed',
  404: 'not found',
  409: 'not possible in the present state; see code and detail',
  413: 'the body is too large',
  415: 'the body is not application/json',
  500: 'a defect of the server',
  503: 'the database is not available or the queue is full; see retry-after',
  504: 'the projection has not reached min_position yet (code projection_behind)'
}

/** Query parameters of every list. */
export const Page = {
  limit: Type.Integer({ minimum: 1, default: 50, description: `Items per page, at most ${MAX_LIMIT}` }),
  cursor: Type.Optional(Type.String({ maxLength: 4096, description: 'next_cursor of the previous page' }))
}

/** Query parameters of every read that can wait until a write is projected. */
export const FreshnessQuery = {
  min_position: Type.Optional(Type.String({ pattern: '^[0-9]{1,4}:[0-9]{1,18}$', description: 'shard:position from the answer to a webhook: wait until it is projected', examples: ['7:123'] })),
  wait_ms: Type.Integer({ minimum: 0, maximum: 10_000, default: 2000, description: 'How long to wait for min_position' })
}

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

export function ListOf<T extends TSchema> (item: T) {
  return Type.Object({ items: Type.Array(item), next_cursor: NullableText({ description: 'null on the last page' }) })
}
