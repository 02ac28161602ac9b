import { fractionOf, plus, ZERO, type Fraction } from './fraction.ts'
import { isObject, type Json, type JsonObject } from '../wire/json.ts'

/** What a proportional rule counts: `points` for every `every` of `base`. */
export interface Base {
  base: Fraction
  /** Where the base is in the payload, for people. */
  of: string
  every: bigint
  points: bigint
}

/** The member at a path; undefined where a part of the path is missing. */
export function at (json: Json | undefined, ...path: string[]): Json | undefined {
  return path.reduce<Json | undefined>((part, name) => isObject(part) && Object.hasOwn(part, name) ? part[name] : undefined, json)
}

/** The base of a proportional rule, by its `calculation_type`, out of the payload that carries the rule. */
export function baseOf (loyalty: JsonObject, data: JsonObject): Base | { why: string } {
  switch (loyalty.calculation_type) {
    case 'ORDER_AMOUNT': return based(at(loyalty, 'order', 'amount'), fractionOf(at(data, 'order', 'amount')), 'order.amount')
    case 'ORDER_TOTAL_AMOUNT': return based(at(loyalty, 'order', 'total_amount'), fractionOf(at(data, 'order', 'total_amount')), 'order.total_amount')
    case 'ORDER_METADATA': return property(at(loyalty, 'order', 'metadata'), [at(data, 'order')], 'order')
    case 'CUSTOMER_METADATA': return property(at(loyalty, 'customer', 'metadata'), [at(data, 'customer'), at(data, 'holder')], 'customer')
    case 'CUSTOM_EVENT_METADATA': return property(at(loyalty, 'custom_event', 'metadata'), [at(data, 'custom_event'), at(data, 'event')], 'custom_event')
    case 'ORDER_ITEMS_QUANTITY': return items(loyalty, data, 'quantity')
    case 'ORDER_ITEMS_AMOUNT': return items(loyalty, data, 'amount')
    case 'ORDER_ITEMS_SUBTOTAL_AMOUNT': return items(loyalty, data, 'subtotal_amount')
    default: return { why: `The payload does not show what the rule counts (${JSON.stringify(loyalty.calculation_type ?? null)}).` }
  }
}

function based (per: Json | undefined, base: Fraction | undefined, of: string): Base | { why: string } {
  const [every, points] = [at(per, 'every'), at(per, 'points')]
  if (!Number.isSafeInteger(every) || !Number.isSafeInteger(points) || (every as number) <= 0 || (points as number) < 0) {
    return { why: `The rule does not say how many points it gives for how much of ${of}.` }
  }
  if (base === undefined) return { why: `The payload carries no ${of} that can be counted.` }
  return { base, of, every: BigInt(every as number), points: BigInt(points as number) }
}

function property (per: Json | undefined, owners: ReadonlyArray<Json | undefined>, owner: string): Base | { why: string } {
  const name = at(per, 'property')
  if (typeof name !== 'string') return { why: `The rule does not name the property of ${owner}.metadata that it counts.` }
  const [value, ...others] = owners.map(part => at(part, 'metadata', name)).filter(part => part !== undefined)
  if (others.some(other => other !== value)) return { why: `${owner}.metadata[${JSON.stringify(name)}] has several values, and the payload does not show which one the rule counts.` }
  return based(per, fractionOf(value), `${owner}.metadata[${JSON.stringify(name)}]`)
}

type ItemField = 'quantity' | 'amount' | 'subtotal_amount'

/**
 * Sums a field over the items that are the rule's product or variant. No payload states the members of a product
 * collection.
 */
function items (loyalty: JsonObject, data: JsonObject, field: ItemField): Base | { why: string } {
  const per = at(loyalty, 'order_items', field)
  const [kind, id] = [at(per, 'object'), at(per, 'id')]
  const listed = at(data, 'order', 'items')
  if (kind !== 'product' && kind !== 'sku') return { why: 'The payload does not show which items of the order the rule counts.' }
  if (typeof id !== 'string' || !Array.isArray(listed)) return { why: 'The payload does not carry the items that the rule counts.' }
  let sum = ZERO
  for (const item of listed) {
    const its = at(item, `${kind}_id`) ?? at(item, kind, 'id')
    // Every variant belongs to a product, so an item without a variant matches none; an item without a product could be
    // any.
    if (its === undefined && kind === 'product') return { why: 'An item of the order does not say which product it is.' }
    if (its !== id) continue
    const value = fractionOf(at(item, field))
    if (value === undefined) return { why: `An item that the rule counts carries no ${field}.` }
    sum = plus(sum, value)
  }
  return based(per, sum, `the ${field.replace('_', ' ')} of ${kind} ${id} in the order`)
}
