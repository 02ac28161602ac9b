import { Type, type TSchema } from '@sinclair/typebox'
import { MAX_LIMIT } from '../paging.ts'

/** An integer in JSON, exact at any size on our side (bigint). */
export function Int (options: object = {}) {
  return Type.Unsafe<bigint>({ type: 'integer', format: 'int64', ...options })
}

// The serializer takes a bigint for `type: integer` but not for `type: [integer, null]`; plugins/openapi.ts writes the
// former as the latter, which is what OpenAPI 3.1 calls it.
export function NullableInt (options: object = {}) {
  return Type.Unsafe<bigint | null>({ type: 'integer', nullable: true, format: 'int64', ...options })
}

export function NullableText (options: object = {}) {
  return Type.Unsafe<string | null>({ type: ['string', 'null'], ...options })
}

/** Always UTC with microseconds: 2024-01-18T15:19:20.676000Z. */
export function Time (options: object = {}) {
  return Type.String({ description: 'UTC, with microseconds', examples: ['2024-01-18T15:19:20.676000Z'], ...options })
}

export function NullableTime (options: object = {}) {
  return NullableText({ description: 'UTC, with microseconds', ...options })
}

/** Of a card or an order: null, as it should be, or since when it lacks events. */
export function ParkedAt () {
  return NullableTime({ description: 'null: it shows every event up to the position read. Else the time since when an event about it could not be folded: it stands as before that event, and later ones wait too, until a redrive (loyalty-ledger parked)' })
}

/** Any JSON value. */
export function AnyJson (options: object = {}) {
  return Type.Unsafe<unknown>({ ...options })
}

export const ProblemSchema = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  code: Type.String({ description: 'Stable; what programs may rely on' }),
  detail: Type.String({ description: 'What to do next, for people' })
}, { $id: 'Problem', description: 'RFC 9457 problem details' })

/** The problem answers of a route, by status. */
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
  404: 'nothing of that kind is known',
  409: 'the state of things forbids it; see code and detail',
  413: 'the body is too large',
  415: 'the body is not application/json',
  500: 'a defect here',
  503: 'the database is away or the queue is full; see retry-after',
  504: 'the projection has not reached min_position yet (code projection_behind)'
}

/** Query of every list. */
export const Page = {
  limit: Type.Integer({ minimum: 1, default: 50, description: `Items on a page; more than ${MAX_LIMIT} are not given` }),
  cursor: Type.Optional(Type.String({ maxLength: 4096, description: 'next_cursor of the page before' }))
}

/** Query of every read that can wait for its own write. */
export const Freshness = {
  min_position: Type.Optional(Type.String({ pattern: '^[0-9]{1,4}:[0-9]{1,18}$', description: 'shard:position of an append answer: wait until it is projected', examples: ['7:123'] })),
  wait_ms: Type.Integer({ minimum: 0, maximum: 10_000, default: 2000, description: 'How long to wait for min_position' })
}

export function ListOf<T extends TSchema> (item: T) {
  return Type.Object({ items: Type.Array(item), next_cursor: NullableText({ description: 'null on the last page' }) })
}
