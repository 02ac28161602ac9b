// What a hostile world puts into payloads about a person, and what must be left when they are erased.
import { factsOf } from '../../../src/providers/voucherify/identify.ts'
import { isObject, type Json, type JsonObject } from '../../../src/providers/voucherify/wire/json.ts'

/** Texts that must not be found anywhere afterwards: each is planted in several places and spellings. */
export const SECRETS = [
  'Quillfeather', 'øyvind', 'quill@private.example', '+44 20 7946 0958', '442079460958', 'Hush Lane', '1990-05-17', 'secret-of-metadata', 'secret-of-item',
  'secret-of-summary', '203.0.113.77'
]

const PROFILE: JsonObject = {
  name: 'Øyvind Quillfeather',
  email: 'Quill@Private.example',
  phone: '+44 20 7946 0958',
  address: { line_1: '7 Hush Lane', city: 'Nowhere' },
  birthdate: '1990-05-17',
  birthday: '1990-05-17',
  description: 'secret-of-summary',
  summary: { note: 'secret-of-summary' },
  metadata: { deep: [{ of: 'secret-of-metadata' }], mail: 'quill@private.example' }
}

/** Every customer that a payload is about or shows. */
export function customersIn (json: Json | undefined, found = new Set<string>()): Set<string> {
  if (Array.isArray(json)) for (const item of json) customersIn(item, found)
  if (isObject(json)) {
    if (json.object === 'customer' && typeof json.id === 'string') found.add(json.id)
    for (const [key, value] of Object.entries(json)) {
      if (['customer_id', 'holder_id'].includes(key) && typeof value === 'string') found.add(value)
      if (['customer', 'holder'].includes(key) && isObject(value) && typeof value.id === 'string' && value.customer_id === undefined) found.add(value.id)
      customersIn(value, found)
    }
  }
  return found
}

/** Puts secrets wherever a payload has room for them, but for what belongs to others. */
export function plant (json: Json, customer_id: string, others: ReadonlySet<string>): Json {
  if (Array.isArray(json)) return json.map(item => plant(item, customer_id, others))
  if (!isObject(json)) return json
  if (json.id === customer_id) return { ...json, ...PROFILE }
  if (typeof json.id === 'string' && others.has(json.id)) return json
  const planted = Object.fromEntries(Object.entries(json).map(([key, value]) => [key, plant(value ?? null, customer_id, others)])) as JsonObject
  if (['order', 'redemption', 'voucher', 'transaction', 'custom_event'].some(name => json.object === name) && !belongsToOthers(json, customer_id)) {
    planted.metadata = { deep: 'secret-of-metadata' }
    planted.note = 'asked for by ØYVIND QUILLFEATHER'
  }
  if (Array.isArray(planted.items) && !belongsToOthers(json, customer_id)) planted.items = planted.items.map(item => isObject(item) ? { ...item, metadata: { engraving: 'secret-of-item' } } : item)
  return planted
}

function belongsToOthers (json: JsonObject, customer_id: string): boolean {
  const owners = [json.customer_id, json.holder_id, isObject(json.customer) ? json.customer.id : undefined, isObject(json.holder) ? json.holder.id : undefined]
  return owners.some(owner => typeof owner === 'string') && !owners.includes(customer_id)
}

/** Every text in a JSON text with its escapes undone, also in JSON inside a string; in lower case. */
export function plainly (text: string): string {
  const parts: string[] = []
  const look = (value: Json | undefined): void => {
    if (typeof value === 'string') {
      parts.push(value)
      if (/^\s*[[{]/.test(value)) {
        try {
          look(JSON.parse(value) as Json)
        } catch { /* a text like any other */ }
      }
    } else if (Array.isArray(value)) value.forEach(look)
    else if (isObject(value)) for (const [key, member] of Object.entries(value)) { parts.push(key); look(member) }
    else parts.push(String(value))
  }
  look(JSON.parse(text) as Json)
  return [text, ...parts].join('\n').normalize('NFC').toLowerCase()
}

/** The facts of a body but for what may go with a customer. */
export function impersonalFacts (body: string, customer_id: string): unknown[] {
  return factsOf(body).map(fact => {
    switch (fact.fact) {
      case 'customer': {
        if (fact.customer_id !== customer_id) return fact
        const { name: _, email: __, metadata: ___, ...fields } = fact.fields
        return { ...fact, fields }
      }
      case 'order': return { ...fact, metadata: null, state_digest: null, items: fact.items === null ? null : withoutMetadata(JSON.parse(fact.items) as Json) }
      case 'movement': return { ...fact, details: null }
      default: return fact
    }
  })
}

function withoutMetadata (json: Json): Json {
  if (Array.isArray(json)) return json.map(withoutMetadata)
  if (!isObject(json)) return json
  return Object.fromEntries(Object.entries(json).flatMap(([key, value]) => key === 'metadata' ? [] : [[key, withoutMetadata(value ?? null)]]))
}
