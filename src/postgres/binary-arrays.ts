import type { Instant } from '../ledger/instant.ts'

/** The types of elements, with their oids, which are the same in every database. */
const OIDS = { boolean: 16, bytea: 17, bigint: 20, smallint: 21, integer: 23, text: 25, date: 1082, timestamptz: 1184, numeric: 1700, jsonb: 3802 } as const
const JSON_OID = 114
export type ElementType = keyof typeof OIDS

const NULL = -1

/**
 * One column of some rows as an array in PostgreSQL's binary protocol: nothing to escape here and nothing to unescape
 * there.
 * @throws TypeError where a value is not of the type
 */
export function binaryColumn<Row extends object> (type: ElementType, rows: readonly Row[], column: keyof Row): Buffer {
  const write: (array: ArrayWriter, value: unknown) => void = WRITERS[type]
  array.begin(OIDS[type], rows.length)
  for (const row of rows) {
    const value: unknown = row[column]
    if (value === null || value === undefined) array.int32(NULL)
    else write(array, value)
  }
  return array.end()
}

const HEADER_BYTES = 20
const CHUNK_BYTES = 1 << 16

/**
 * JSON texts as a json[] in a buffer of its size: bodies are too large for the chunks of the writer below.
 */
export function jsonArray (texts: readonly string[]): Buffer {
  const lengths = texts.map(text => Buffer.byteLength(text))
  const array = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + 4 + length, HEADER_BYTES))
  let at = 0
  for (const field of [1, 0, JSON_OID, texts.length, 1]) at = array.writeInt32BE(field, at)
  for (const [index, text] of texts.entries()) {
    at = array.writeInt32BE(lengths[index] as number, at)
    at += array.write(text, at)
  }
  return array
}

/**
 * Writes arrays one after the other into chunks, and returns each as a view of its chunk: a buffer for each array cost
 * as much as writing it. Bytes that were returned are never written again.
 */
class ArrayWriter {
  #chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
  #start = 0
  #length = 0

  begin (oid: number, size: number): void {
    this.#start = this.#length
    this.int32(size === 0 ? 0 : 1)
    this.int32(1)
    this.int32(oid)
    if (size === 0) return
    this.int32(size)
    this.int32(1)
  }

  end (): Buffer {
    return this.#chunk.subarray(this.#start, this.#length)
  }

  byte (value: number): void {
    this.#reserve(1)
    this.#chunk[this.#length++] = value
  }

  int16 (value: number): void {
    this.#reserve(2)
    this.#length = this.#chunk.writeInt16BE(value, this.#length)
  }

  int32 (value: number): void {
    this.#reserve(4)
    this.#length = this.#chunk.writeInt32BE(value, this.#length)
  }

  int64 (value: number | bigint): void {
    this.#reserve(8)
    if (typeof value === 'bigint') {
      this.#length = this.#chunk.writeBigInt64BE(value, this.#length)
      return
    }
    const high = Math.floor(value / 2 ** 32)
    this.#length = this.#chunk.writeInt32BE(high, this.#length)
    this.#length = this.#chunk.writeUInt32BE(value - high * 2 ** 32, this.#length)
  }

  /** With its length before it. */
  text (value: string): void {
    // In UTF-8 no unit of UTF-16 takes more than three bytes.
    this.#reserve(4 + value.length * 3)
    const bytes = this.#ascii(value) ?? this.#chunk.write(value, this.#length + 4)
    this.int32(bytes)
    this.#length += bytes
  }

  /** Bytes as hex, with their length before them. */
  hex (value: string): void {
    this.#reserve(4 + value.length / 2)
    const bytes = this.#chunk.write(value, this.#length + 4, 'hex')
    if (bytes * 2 !== value.length) throw new TypeError(`not bytes in hex: ${value}`)
    this.int32(bytes)
    this.#length += bytes
  }

  bytes (value: Uint8Array): void {
    this.#reserve(4 + value.length)
    this.int32(value.length)
    this.#chunk.set(value, this.#length)
    this.#length += value.length
  }

  /**
   * Writes a short text itself: that is faster than a call of the runtime.
   * @returns undefined where it is not short ASCII
   */
  #ascii (value: string): number | undefined {
    if (value.length > 32) return undefined
    const start = this.#length + 4
    for (let index = 0; index < value.length; index++) {
      const unit = value.charCodeAt(index)
      if (unit > 0x7f) return undefined
      this.#chunk[start + index] = unit
    }
    return value.length
  }

  /** Goes on in a new chunk where this one is full, with what the current array has so far. */
  #reserve (bytes: number): void {
    if (this.#length + bytes <= this.#chunk.length) return
    const begun = this.#chunk.subarray(this.#start, this.#length)
    this.#chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, (begun.length + bytes) * 2))
    this.#start = 0
    this.#length = begun.copy(this.#chunk)
  }
}

const array = new ArrayWriter()

const WRITERS: Record<ElementType, (array: ArrayWriter, value: unknown) => void> = {
  text (array, value) {
    array.text(value as string)
  },
  // Any value that JSON has, with the version of the format before its text.
  jsonb (array, value) {
    array.text(`\u0001${JSON.stringify(value)}`)
  },
  // Hex as a string, or the bytes.
  bytea (array, value) {
    if (typeof value === 'string') array.hex(value)
    else array.bytes(value as Uint8Array)
  },
  // As YYYY-MM-DD.
  date (array, value) {
    array.int32(4)
    array.int32(daysOf(value as string))
  },
  boolean (array, value) {
    array.int32(1)
    array.byte(value === true ? 1 : 0)
  },
  smallint (array, value) {
    array.int32(2)
    array.int16(value as number)
  },
  integer (array, value) {
    array.int32(4)
    array.int32(value as number)
  },
  bigint (array, value) {
    array.int32(8)
    array.int64(value as bigint | number)
  },
  timestamptz (array, value) {
    array.int32(8)
    array.int64(microsecondsOf(value as Instant))
  },
  numeric (array, value) {
    numeric(array, BigInt(value as bigint | number))
  }
}

/** PostgreSQL counts from here. */
const EPOCH_MS = Date.UTC(2000, 0, 1)
const DAY_MS = 86_400_000

function daysOf (day: string): number {
  const days = (Date.parse(`${day}T00:00:00Z`) - EPOCH_MS) / DAY_MS
  if (day.length !== 10 || !Number.isInteger(days)) throw new TypeError(`not a day: ${day}`)
  return days
}

/**
 * Microseconds since PostgreSQL's epoch: a number where a number carries them exactly, for some 285 years either way.
 */
function microsecondsOf (instant: Instant): number | bigint {
  const year = digits(instant, 0, 4)
  const fraction = digits(instant, 20, 6)
  const moment = Date.UTC(year, digits(instant, 5, 2) - 1, digits(instant, 8, 2), digits(instant, 11, 2), digits(instant, 14, 2), digits(instant, 17, 2))
  // Date.UTC adds 1900 to a year below 100.
  const milliseconds = (year < 100 ? Date.parse(`${instant.slice(0, 19)}Z`) : moment) - EPOCH_MS
  const microseconds = milliseconds * 1000 + fraction
  if (instant.length !== 27 || Number.isNaN(microseconds)) throw new TypeError(`not an instant: ${instant}`)
  return Number.isSafeInteger(microseconds) ? microseconds : BigInt(milliseconds) * 1000n + BigInt(fraction)
}

function digits (text: string, from: number, count: number): number {
  let value = 0
  for (let index = from; index < from + count; index++) value = value * 10 + text.charCodeAt(index) - 0x30
  return value
}

const BASE = 10_000n
const POSITIVE = 0
const NEGATIVE = 0x4000

/** Digits to the base of 10,000, with the weight of the first one; no fraction. */
function numeric (array: ArrayWriter, value: bigint): void {
  const places: number[] = []
  for (let rest = value < 0n ? -value : value; rest > 0n; rest /= BASE) places.unshift(Number(rest % BASE))
  array.int32(8 + places.length * 2)
  array.int16(places.length)
  array.int16(Math.max(0, places.length - 1))
  array.int16(value < 0n ? NEGATIVE : POSITIVE)
  array.int16(0)
  for (const place of places) array.int16(place)
}
