import { hash } from 'node:crypto'
import { markNumbers, unmarkNumbers } from '../../ledger/json-numbers.ts'
import type { Difference, Differences } from '../provider.ts'
import { coreOf } from './identify.ts'
import { openEnvelope } from './wire/envelope.ts'
import { canonical, isObject, parseBody, type Json, type JsonObject } from './wire/json.ts'

/** People read these. Two payloads that differ in more places are two different things, not two versions of one. */
const MAX_FIELDS = 200
/** Of a value: enough for one item of an order. A long text is shown from a little before its first difference. */
const MAX_CHARACTERS = 200
const LEAD_CHARACTERS = 40

const ABSENT = 'absent'

/**
 * Compares a stored event with a delivery of the same key, field by field. The shapes of the two may differ: of a
 * stored bare award and a received enveloped one the payloads are compared.
 * @returns undefined when one of them is not a JSON object, so that there are no fields to compare
 */
export function differencesBetween (stored: Buffer, received: Buffer): Differences | undefined {
  const versions = [stored, received].map(parseBody)
  const [before, after] = versions.flatMap(parsed => 'json' in parsed ? [parsed] : [])
  if (before === undefined || after === undefined) return undefined

  // Numbers that differ beyond what JavaScript holds differ all the same. No text contains the digest of a longer one.
  const mark = hash('sha256', before.text + after.text)
  const dataIn = (text: string): JsonObject => openEnvelope(JSON.parse(markNumbers(text, mark)) as JsonObject).data
  const fields: Difference[] = []
  let more_fields = 0
  compare('data', dataIn(before.text), dataIn(after.text), (path, stored, received) => {
    const [difference] = differs(path, unmarkNumbers(stored, mark), unmarkNumbers(received, mark))
    if (difference !== undefined && fields.length < MAX_FIELDS) fields.push(difference)
    else if (difference !== undefined) more_fields++
  })
  return { facts: factDifferences(factsByName(before.text), factsByName(after.text)), fields, more_fields }
}

function factDifferences (stored: Map<string, string>, received: Map<string, string>): Difference[] {
  const names = [...new Set([...stored.keys(), ...received.keys()])]
  return names.flatMap(name => differs(name, stored.get(name) ?? ABSENT, received.get(name) ?? ABSENT))
}

/**
 * The facts of a body by name, as JSON text. None where today's code cannot read the body: its fields still show the
 * difference.
 */
function factsByName (body: string): Map<string, string> {
  try {
    return new Map(Object.entries(coreOf(body)).map(([name, value]) => [name, typeof value === 'bigint' ? String(value) : JSON.stringify(value)]))
  } catch {
    return new Map()
  }
}

/**
 * Walks two values together, members by name and list items by index. A part that only one side has is one difference.
 */
function compare (path: string, stored: Json | undefined, received: Json | undefined, found: (path: string, stored: string, received: string) => void): void {
  if (isObject(stored) && isObject(received)) {
    for (const name of [...new Set([...Object.keys(stored), ...Object.keys(received)])].sort()) {
      compare(`${path}${step(name)}`, own(stored, name), own(received, name), found)
    }
  } else if (Array.isArray(stored) && Array.isArray(received)) {
    for (let index = 0; index < Math.max(stored.length, received.length); index++) {
      compare(`${path}[${index}]`, stored[index], received[index], found)
    }
  } else {
    found(path, textOf(stored), textOf(received))
  }
}

/** An own member, never one of the prototype: payloads may have a member named `__proto__`. */
function own (value: { [key: string]: Json | undefined }, name: string): Json | undefined {
  return Object.hasOwn(value, name) ? value[name] : undefined
}

function step (name: string): string {
  return /^[\p{L}_$][\p{L}\p{N}_$-]*$/u.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`
}

function textOf (value: Json | undefined): string {
  return value === undefined ? ABSENT : canonical(value)
}

function differs (path: string, stored: string, received: string): Difference[] {
  return stored === received ? [] : [{ path, ...excerpts(stored, received) }]
}

function excerpts (stored: string, received: string): Pick<Difference, 'stored' | 'received'> {
  let same = 0
  while (same < stored.length && stored[same] === received[same]) same++
  const from = Math.max(stored.length, received.length) <= MAX_CHARACTERS || same <= LEAD_CHARACTERS ? 0 : same - LEAD_CHARACTERS
  const cut = (text: string): string => {
    const shown = text.slice(from, from + MAX_CHARACTERS)
    return `${from > 0 ? '…' : ''}${shown}${from + MAX_CHARACTERS < text.length ? '…' : ''}`.toWellFormed()
  }
  return { stored: cut(stored), received: cut(received) }
}
