import { createHash } from 'node:crypto'
import { Type, type Static, type TSchema } from '@sinclair/typebox'
import { TypeCompiler, type ValueError } from '@sinclair/typebox/compiler'
import { INFORMED, type Fact, type Informed } from '../../../ledger/facts.ts'
import type { Instant } from '../../../ledger/instant.ts'
import type { Envelope } from '../envelope.ts'
import type { JsonObject } from '../json.ts'

/** What a family reads out of a payload. */
export interface Reading {
  /** For bare data only: the identity that a wrapping would have carried. Undefined: such data cannot come bare. */
  bare?: { event_id: string, type: string }
  subject: string
  customer_id: string | null
  occurred_at: Instant | null
  facts: Fact[]
  /** The facts about the subject, from which the fact digest is made: equal for every send of one fact. */
  core: Core
  /** Ids that tell a test delivery. */
  ids: readonly unknown[]
}

/** Facts by name, in a fixed order. */
export type Core = Readonly<Record<string, string | bigint | null>>

/**
 * One event family: the payloads of one shape. `schema` requires what identity and the fold need; all else is optional
 * and nullable, because the provider's own samples break its schema, and unknown fields are kept.
 */
export interface Family {
  types: readonly string[]
  /** Does bare data, which carries no type, have this family's fields? */
  recognises: (data: JsonObject) => boolean
  /** @throws UnreadablePayload */
  read: (envelope: Envelope) => Reading
}

/** A payload that lacks what identity or the fold need. The message names the field. */
export class UnreadablePayload extends Error {
  override name = 'UnreadablePayload'
}

/** How well informed a telling is by how it came: bare data knows less than what it knows in an envelope. */
export function informedBy (envelope: Envelope): Informed {
  return envelope.shape === 'bare' ? INFORMED.bare : INFORMED.enveloped
}

/** Optional and nullable: how everything is that we could do without. */
export function maybe<T extends TSchema> (schema: T) {
  return Type.Optional(Type.Union([schema, Type.Null()]))
}

/** Integers that a JavaScript number carries exactly. Beyond 2^53 − 1 the parser has already rounded: refuse, never guess. */
export function exactInteger (minimum = Number.MIN_SAFE_INTEGER) {
  return Type.Integer({ minimum, maximum: Number.MAX_SAFE_INTEGER })
}

/** Compiles a schema to a function that returns the typed value or throws UnreadablePayload with path and reason. */
export function reader<T extends TSchema> (schema: T): (value: unknown) => Static<T> {
  const check = TypeCompiler.Compile(schema)
  return value => {
    if (check.Check(value)) return value
    const error = check.Errors(value).First()
    throw new UnreadablePayload(error === undefined ? 'the payload does not have the expected shape' : describe(innermost(error)))
  }
}

/** Of an optional part the error says only "none of these": the one that helps stands inside, under the part's own schema. */
function innermost (error: ValueError): ValueError {
  const inside = error.errors[0]?.First()
  return inside === undefined ? error : innermost(inside)
}

function describe (error: { path: string, message: string }): string {
  return `data${error.path.replaceAll('/', '.')}: ${error.message}`
}

/** sha256 over the core facts, each preceded by its length, hex. */
export function digest (parts: ReadonlyArray<string | bigint | null>): string {
  const hash = createHash('sha256')
  for (const part of parts) {
    const text = part === null ? '' : String(part)
    hash.update(`${part === null ? '-' : text.length}:`).update(text)
  }
  return hash.digest('hex')
}

export function exact (value: number): bigint
export function exact (value: number | null | undefined): bigint | null
export function exact (value: number | null | undefined): bigint | null {
  return value === null || value === undefined ? null : BigInt(value)
}
