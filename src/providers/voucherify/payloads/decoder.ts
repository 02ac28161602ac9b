import { hash } from 'node:crypto'
import { Type, type Static, type TSchema } from '@sinclair/typebox'
import { TypeCompiler, type ValueError } from '@sinclair/typebox/compiler'
import { TypeGuard } from '@sinclair/typebox/type'
import { Value } from '@sinclair/typebox/value'
import { isObject, withMembers, type Json } from '../wire/json.ts'

/** A payload lacks what identity or the fold need. The message names the field. */
export class UnreadablePayload extends Error {
  override name = 'UnreadablePayload'
}

/** A row can be read, but does not say which movement it is: counted, it could count a second time beside its event. */
export class UnmatchedRow extends UnreadablePayload {
  override name = 'UnmatchedRow'
}

/** Optional and nullable, as everything is that is not needed. A value of a wrong kind counts as absent. */
export function maybe<T extends TSchema> (schema: T) {
  return Type.Optional(Type.Union([schema, Type.Null()], { lenient: true }))
}

/**
 * Optional and nullable, but identity or points depend on it where it is there: a value of a wrong kind is refused.
 * Used for little: whatever else is in the payload waits in quarantine with it.
 */
export function relied<T extends TSchema> (schema: T) {
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

/**
 * Compiles a schema to a function that returns the typed value or throws UnreadablePayload with path and reason. What
 * is optional and of a wrong kind is left out of the value; nearly always there is no such thing.
 */
export function reader<T extends TSchema> (schema: T): (value: unknown) => Static<T> {
  const check = TypeCompiler.Compile(schema)
  return received => {
    if (check.Check(received)) return received
    const value = withoutWrongKinds(schema, received)
    if (check.Check(value)) return value
    const error = check.Errors(value).First()
    throw new UnreadablePayload(error === undefined ? 'the payload does not have the expected shape' : describe(innermost(error)))
  }
}

function withoutWrongKinds (schema: TSchema, value: unknown): unknown {
  if (!isObject(value) || !TypeGuard.IsObject(schema)) return value
  const changed = new Map<string, Json | undefined>()
  for (const [name, part] of Object.entries(schema.properties)) {
    if (!Object.hasOwn(value, name)) continue
    const inner = TypeGuard.IsUnion(part) ? part.anyOf[0] ?? part : part
    const member = withoutWrongKinds(inner, value[name]) as Json
    if (part.lenient === true && isWrongKind(inner, member)) changed.set(name, undefined)
    else if (member !== value[name]) changed.set(name, member)
  }
  return changed.size === 0 ? value : withMembers(value, changed)
}

/**
 * An object with a member that is relied on and cannot be read is an object all the same, and a whole number that the
 * parser has rounded a number: both are refused, never left out.
 */
function isWrongKind (schema: TSchema, value: Json): boolean {
  if (value === null || Value.Check(schema, value)) return false
  if (TypeGuard.IsObject(schema)) return !isObject(value)
  return !(TypeGuard.IsInteger(schema) && typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER)
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
