import { memberOf, textOf, type JsonNode, type ObjectNode } from './json-tree.ts'

/**
 * Whose a part of a payload is, from the view of one customer. `own`: the customer themself; `theirs`: something of
 * theirs (an order, a card, a redemption); `apart`: something of another customer; `other`: another customer themself.
 */
export type Whose = 'own' | 'theirs' | 'apart' | 'other'

/** What the merchant defines for everyone: its texts and metadata are about no customer. */
const DEFINITIONS = new Set([
  'campaign', 'earning_rule', 'loyalty_tier', 'loyalty_tier_from', 'loyalty_tier_to', 'holder_loyalty_tier', 'promotion_tier',
  'referral_tier', 'reward', 'reward_assignment', 'validation_rule'
])

/** Members that hold people. */
const PEOPLE = new Set(['customer', 'holder', 'referrer', 'referee', 'owner', 'recipient'])

export function isDefinition (key: string | undefined): boolean {
  return key !== undefined && DEFINITIONS.has(key)
}

/** @param around whose the part around it is */
export function whoseIs (node: ObjectNode, key: string | undefined, around: Whose, customer_id: string | null): Whose {
  const id = textOf(memberOf(node, 'id'))
  if (id === customer_id) return 'own'
  if (isPerson(node, key)) return id === undefined && around === 'theirs' ? 'own' : 'other'
  const owners = ownersOf(node)
  if (owners.length === 0) return around
  if (customer_id !== null && owners.includes(customer_id)) return 'theirs'
  return around === 'other' ? 'other' : 'apart'
}

/** What a customer was before a change: it names nobody itself, but is beside the customer that it is about. */
export function isPastOf (parent: ObjectNode, key: string, customer_id: string | null): boolean {
  return key === 'previous_attributes' && textOf(memberOf(memberOf(parent, 'object'), 'id')) === customer_id
}

/** A `holder` can be an assignment instead, which names its customer. */
function isPerson (node: ObjectNode, key: string | undefined): boolean {
  const object = textOf(memberOf(node, 'object'))
  if (object !== undefined) return object === 'customer'
  return key !== undefined && PEOPLE.has(key) && memberOf(node, 'customer_id') === undefined
}

function ownersOf (node: ObjectNode): string[] {
  const person = (part: JsonNode | undefined): string | undefined => textOf(memberOf(part, 'customer_id')) ?? textOf(memberOf(part, 'id'))
  return [
    textOf(memberOf(node, 'customer_id')), textOf(memberOf(node, 'holder_id')), person(memberOf(node, 'customer')), person(memberOf(node, 'holder'))
  ].filter(id => id !== undefined)
}
