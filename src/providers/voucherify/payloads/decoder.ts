import { hash } from 'node:crypto'
import { Type, type Static, type TSchema } from '@sinclair/typebox'
import { TypeCompiler, type ValueError } from '@sinclair/typebox/compiler'

/** A payload lacks what identity or the fold need. The message names the field. */
export class UnreadablePayload extends Error {
  override name = 'UnreadablePayload'
}

/** A row can be read, but does not say which movement it is: counted, it could count a second time beside its event. */
export class UnmatchedRow extends UnreadablePayload {
  override name = 'UnmatchedRow'
}

/** Optional and nullable, as everything is that is not needed. */
export function maybe<T extends TSchema> (schema: T) {
  return Type.Optional(Type.Union([schema, Type.Null()]))
}

/**
 * A field that only describes: a value of the wrong type counts as absent, since neither identity nor the fold depend
 * on it. Read it with `textIn`, `idOf` and similar functions.
 */
export const Described = Type.Optional(Type.Unknown())

/**
 * Integers that a JavaScript number holds exactly. Beyond 2^53 − 1 the parser has already rounded: refuse, never guess.
 */
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

/**
 * For an optional part the error says only "none of these". The useful error is inside, under the part's own schema.
 */
function innermost (error: ValueError): ValueError {
  const inside = error.errors[0]?.First()
  return inside === undefined ? error : innermost(inside)
}

function describe (error: { path: string, message: string }): string {
  return `data${error.path.replaceAll('/', '.')}: ${error.message}`
}

/** Facts by name. Null: this send does not state it. */
export type Core = Readonly<Record<string, string | bigint | null>>

/** sha256 over values, each preceded by its length, hex. */
export function digest (parts: ReadonlyArray<string | bigint | null>): string {
  // One text for one call: a call into the hash costs more than hashing its input.
  let text = ''
  for (const part of parts) {
    const value = part === null ? '' : String(part)
    text += `${part === null ? '-' : value.length}:${value}`
  }
  return hash('sha256', text)
}

export function exact (value: number): bigint
export function exact (value: number | null | undefined): bigint | null
export function exact (value: number | null | undefined): bigint | null {
  return value === null || value === undefined ? null : BigInt(value)
}
