import { isPersonalId } from '../../person.ts'
import type { ErasedPerson, RedactionExtent } from '../../provider.ts'
import { memberOf, nestedTree, textOf, treeOf, type JsonNode, type Member, type ObjectNode, type StringNode } from './json-tree.ts'
import { isDefinition, isPastOf, whoseIs, type Whose } from './ownership.ts'

/** What stays of a customer object: its ids and times. */
const KEPT_OF_CUSTOMER = new Set(['id', 'object', 'created_at', 'updated_at', 'source_id'])
/** Personal by name, wherever it is in something of the customer's. */
const PERSONAL = /^(.*_)?(e?mail|email_address|phone|phone_number|mobile|first_name|last_name|full_name|customer_name|address|birthdate|birthday|date_of_birth|gender|ip|ip_address|tracking_id)$/i
/** Free text that people type. */
const PROSE = /^(.*_)?(reason|notes?|description|comments?|message|remark|additional_info)$/i
/** Ids, times and states, on which identity and amounts depend, and the names of cards and programmes. */
const NEVER_PROSE = /(^|_)id$|_at$|^(date|object|type|status|state|result|code|campaign)$/

/**
 * Removes what is personal about one customer from a stored body. The customer's own objects keep their ids and times;
 * `metadata` is removed from everything of theirs; texts that name them are removed wherever they are, also from JSON
 * inside a string. What identifies the event and what the ledger counts stays, and every kept character stays as it is.
 * Idempotent.
 * @returns undefined where the text is not JSON
 */
export function redact (body: string, erased: ErasedPerson, extent: RedactionExtent = 'all'): string | undefined {
  const tree = treeOf(body)
  if (tree === undefined) return undefined
  // Nothing here belongs to a customer of another provider; a text can name them all the same.
  const around = erased.customer_id === null ? { extent: 'mentions', whose: 'apart' } as const : { extent, whose: 'theirs' } as const
  return redactedValue(tree, undefined, { ...erased, ...around, definition: false }) ?? 'null'
}

interface Place extends ErasedPerson { extent: RedactionExtent, whose: Whose, definition: boolean }

/** @returns what stays of a value; undefined: nothing stays */
function redactedValue (node: JsonNode, key: string | undefined, around: Place): string | undefined {
  switch (node.kind) {
    case 'other': return node.raw
    case 'string': return redactedText(node, key, around)
    case 'array': {
      const items = node.items.map(item => redactedValue(item, key, around) ?? 'null')
      return items.every((item, index) => item === node.items[index]?.raw) ? node.raw : `[${items.join(',')}]`
    }
    case 'object': return redactedObject(node, key, { ...around, whose: whoseIs(node, key, around.whose, around.customer_id), definition: around.definition || isDefinition(key) })
  }
}

function redactedText (node: StringNode, key: string | undefined, place: Place): string | undefined {
  const nested = nestedTree(node.value)
  if (nested !== undefined) {
    const kept = redactedValue(nested, key, place)
    return kept === nested.raw ? node.raw : kept === undefined ? undefined : JSON.stringify(kept)
  }
  return isMention(node.value, key, place) ? undefined : node.raw
}

function isMention (text: string, key: string | undefined, { matcher, whose, definition }: Place): boolean {
  if (definition || whose === 'other' || (key !== undefined && NEVER_PROSE.test(key))) return false
  return key !== undefined && PROSE.test(key) ? matcher.hintedIn(text) : matcher.namedIn(text)
}

function redactedObject (node: ObjectNode, key: string | undefined, place: Place): string {
  if (place.whose === 'own') return place.extent === 'all' ? withoutProfile(node, place) : node.raw
  const kept = node.members.map(member => redactedMember(member, node, key, place))
  return written(node, kept)
}

function redactedMember (member: Member, parent: ObjectNode, parent_key: string | undefined, place: Place): string | undefined {
  const { key, value } = member
  if (place.extent === 'all' && !place.definition) {
    if (place.whose === 'theirs' && (key === 'metadata' || PERSONAL.test(key))) return undefined
    if (isPastOf(parent, key, place.customer_id)) return value.kind === 'object' ? `${member.raw_key}:${withoutProfile(value, place)}` : undefined
  }
  if (key === 'customer_source_id' && place.whose === 'theirs' && isPersonalSourceId(value, place)) return undefined
  if (isMention(key, undefined, place)) return undefined
  // An order's own id at the merchant's is among the facts by which two sends of an event are compared.
  if (key === 'source_id' && !isOrder(parent, parent_key) && isMention(textOf(value) ?? '', undefined, place)) return undefined
  const kept = redactedValue(value, key, place)
  return kept === undefined ? undefined : `${member.raw_key}:${kept}`
}

function isOrder (node: ObjectNode, key: string | undefined): boolean {
  return key === 'order' || textOf(memberOf(node, 'object')) === 'order'
}

function isPersonalSourceId (value: JsonNode, { matcher }: Place): boolean {
  return value.kind === 'string' && (isPersonalId(value.value) || matcher.reachedBy(value.value))
}

function withoutProfile (node: ObjectNode, place: Place): string {
  return written(node, node.members.map(({ key, raw_key, value }) => {
    if (!KEPT_OF_CUSTOMER.has(key) || value.kind === 'object' || value.kind === 'array') return undefined
    return key === 'source_id' && isPersonalSourceId(value, place) ? undefined : `${raw_key}:${value.raw}`
  }))
}

/** The original text if every member is unchanged, with the spaces between them. */
function written (node: ObjectNode, members: ReadonlyArray<string | undefined>): string {
  const same = members.every((member, index) => {
    const before = node.members[index]
    return member !== undefined && before !== undefined && member === `${before.raw_key}:${before.value.raw}`
  })
  return same ? node.raw : `{${members.filter(member => member !== undefined).join(',')}}`
}
