import { hash } from 'node:crypto'
import { markNumbers, mayRewriteNumbers } from '../../../ledger/json-numbers.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** The provider's deliveries nest to about 8 levels. A recursive parser can overflow its stack on much deeper ones. */
export const MAX_DEPTH = 128

export type Json = null | boolean | number | string | Json[] | JsonObject
export interface JsonObject { [key: string]: Json | undefined }

export type Parsed = { json: JsonObject, text: string } | { reason: 'not_utf8' | 'not_json' | 'not_an_object' | 'too_deep', detail: string }

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Decodes UTF-8 strictly. @returns undefined when the bytes are not UTF-8 */
function decodeUtf8 (bytes: Buffer): string | undefined {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

/**
 * Parses a body, or gives a stable reason why not. Keys such as `__proto__` are plain data: nothing here merges
 * objects.
 */
export function parseBody (bytes: Buffer): Parsed {
  const text = decodeUtf8(bytes)
  if (text === undefined) return { reason: 'not_utf8', detail: 'the body is not UTF-8' }
  if (text.startsWith('\ufeff')) return { reason: 'not_json', detail: 'the body is not JSON: it begins with a byte order mark (EF BB BF). Send it without' }
  if (opensMoreThan(MAX_DEPTH, text) && depth(bytes) > MAX_DEPTH) return { reason: 'too_deep', detail: `the JSON nests deeper than ${MAX_DEPTH} levels` }
  try {
    const json = JSON.parse(text) as Json
    if (!isObject(json)) return { reason: 'not_an_object', detail: 'the body is JSON, but not an object' }
    return { json, text }
  } catch (error) {
    return { reason: 'not_json', detail: `the body is not JSON: ${storableText((error as Error).message)}` }
  }
}

/** For objects and lists out of `parseStored`: their numbers that JavaScript would write otherwise, as received. */
const received = new WeakMap<object, Map<string, string>>()

/**
 * Parses a stored body, and notes how its numbers were written: `canonicalStorable` and `textOfMember` write them so.
 * Identifying a delivery needs none of that, and uses `parseBody`.
 */
export function parseStored (text: string): JsonObject {
  if (!mayRewriteNumbers(text)) return JSON.parse(text) as JsonObject
  // No text contains its own digest.
  const mark = hash('sha256', text)
  const json = JSON.parse(markNumbers(text, mark)) as JsonObject
  noteNumbers(json, mark)
  return json
}

function noteNumbers (holder: Json[] | JsonObject, mark: string): void {
  for (const [name, value] of Object.entries(holder)) {
    if (typeof value === 'object' && value !== null) noteNumbers(value, mark)
    if (typeof value !== 'string' || !value.startsWith(mark)) continue
    const number = value.slice(mark.length)
    Object.defineProperty(holder, name, { value: Number(number), enumerable: true, configurable: true, writable: true })
    note(holder, name, number)
  }
}

function note (holder: object, name: string, number: string): void {
  const noted = received.get(holder)
  if (noted === undefined) received.set(holder, new Map([[name, number]]))
  else noted.set(name, number)
}

/** A number inside an object or a list, as it was received where that is known. */
function numeral (holder: object, name: string, value: number): string {
  return received.get(holder)?.get(name) ?? JSON.stringify(value)
}

/** A member that is a text, or a number as it was received; null is a value; anything else counts as absent. */
export function textOfMember (object: object, name: string): string | null | undefined {
  const value = Object.hasOwn(object, name) ? (object as JsonObject)[name] : undefined
  if (typeof value === 'number') return numeral(object, name, value)
  return typeof value === 'string' ? storableText(value) : value === null ? null : undefined
}

/** The object with other values of some members; those that are undefined are left out. */
export function withMembers (object: JsonObject, values: ReadonlyMap<string, Json | undefined>): JsonObject {
  const members = Object.entries(object).map(([name, value]): [string, Json | undefined] => [name, values.has(name) ? values.get(name) : value])
  return remade(object, members.filter(([, value]) => value !== undefined))
}

/** An object in the place of another: what is noted of the other is noted of it. */
function remade (object: JsonObject, members: ReadonlyArray<[name: string, value: Json | undefined]>): JsonObject {
  const made = Object.fromEntries(members)
  const noted = received.get(object)
  if (noted !== undefined) received.set(made, noted)
  return made
}

export function isObject (value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Text as PostgreSQL can store it: U+0000 is legal in JSON and illegal in a text column. */
export function storableText (text: string): string {
  return text.replaceAll('\u0000', '\ufffd').toWellFormed()
}

/** Removes spaces, tabs and line ends outside strings, byte by byte. */
export function withoutInsignificantWhitespace (bytes: Buffer): Buffer {
  const kept = Buffer.allocUnsafe(bytes.length)
  let length = 0
  let inString = false
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index] as number
    if (inString) {
      if (byte === BACKSLASH && index + 1 < bytes.length) {
        kept[length++] = byte
        kept[length++] = bytes[++index] as number
        continue
      }
      if (byte === QUOTE) inString = false
    } else {
      if (byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d) continue
      if (byte === QUOTE) inString = true
    }
    kept[length++] = byte
  }
  return kept.subarray(0, length)
}

// Most bodies have fewer brackets in total than the limit, and finding brackets in a text takes a tenth of the time of
// walking over its bytes.
function opensMoreThan (limit: number, text: string): boolean {
  let found = 0
  for (const bracket of ['{', '[']) {
    for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1)) {
      if (++found > limit) return true
    }
  }
  return false
}

// Before parsing: a body of half a million brackets must not reach a recursive parser, ours or PostgreSQL's.
function depth (bytes: Buffer): number {
  let deepest = 0
  let level = 0
  let inString = false
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index] as number
    if (inString) {
      if (byte === BACKSLASH) index++
      else if (byte === QUOTE) inString = false
    } else if (byte === QUOTE) {
      inString = true
    } else if (byte === 0x7b || byte === 0x5b) {
      if (++level > deepest) deepest = level
    } else if (byte === 0x7d || byte === 0x5d) {
      level--
    }
  }
  return deepest
}

/** The value with texts that PostgreSQL can extract from JSON: `->>` fails on U+0000 and on lone surrogates. */
function storable (value: Json): Json {
  if (typeof value === 'string') return storableText(value)
  if (Array.isArray(value)) {
    const made = value.map(storable)
    for (const [index, number] of received.get(value) ?? []) note(made, index, number)
    return made
  }
  if (!isObject(value)) return value
  for (const [name, number] of received.get(value) ?? []) note(value, storableText(name), number)
  return remade(value, Object.entries(value).map(([name, member]) => [storableText(name), storable(member ?? null)]))
}

/** JSON text with sorted keys: the provider varies the order of keys between sends of one fact. */
export function canonical (value: Json | undefined): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (!isObject(value)) return JSON.stringify(value ?? null)
  const members = Object.keys(value).sort().map(key => `${JSON.stringify(key)}:${canonical(value[key])}`)
  return `{${members.join(',')}}`
}

/**
 * The same as `canonical(storable(value))`, in one pass where no name needs mending, which holds for most values; and
 * numbers are written as `parseStored` found them.
 */
export function canonicalStorable (value: Json | undefined): string {
  if (typeof value === 'string') return quoted(value)
  if (Array.isArray(value)) return listed(value)
  if (isObject(value)) return membersOf(value)
  return JSON.stringify(value ?? null)
}

// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const TO_ESCAPE_OR_MEND = /["\\\u0000-\u001f\ud800-\udfff]/

function quoted (text: string): string {
  return TO_ESCAPE_OR_MEND.test(text) ? JSON.stringify(storableText(text)) : `"${text}"`
}

function needsMending (name: string): boolean {
  return TO_ESCAPE_OR_MEND.test(name) && storableText(name) !== name
}

// Appended piece by piece: to collect the pieces in a list and join them takes twice the time and twice the memory.
function listed (values: readonly Json[]): string {
  let text = '['
  for (let index = 0; index < values.length; index++) {
    const value = values[index]
    text += (index === 0 ? '' : ',') + (typeof value === 'number' ? numeral(values, String(index), value) : canonicalStorable(value))
  }
  return text + ']'
}

function membersOf (object: JsonObject): string {
  const names = sorted(Object.keys(object))
  // A mended name may sort elsewhere, or collide with another. Decided before anything is written: otherwise nested
  // objects of that kind would each be written once for every level of their depth.
  if (names.some(needsMending)) return membersOf(storable(object) as JsonObject)
  let text = '{'
  for (let index = 0; index < names.length; index++) {
    const name = names[index] as string
    const value = object[name]
    text += (index === 0 ? '' : ',') + quoted(name) + ':' + (typeof value === 'number' ? numeral(object, name, value) : canonicalStorable(value))
  }
  return text + '}'
}

/** The provider's objects have some ten members: an insertion sort of so few beats the setup cost of `sort`. */
const FEW = 32

/** Sorts in place, by code units as `sort` does. */
function sorted (names: string[]): string[] {
  if (names.length > FEW) return names.sort()
  for (let end = 1; end < names.length; end++) {
    const name = names[end] as string
    let place = end
    for (; place > 0 && (names[place - 1] as string) > name; place--) names[place] = names[place - 1] as string
    names[place] = name
  }
  return names
}
