import { Type, type Static } from '@sinclair/typebox'
import type { CustomerSighting, Fact } from '../../../ledger/facts.ts'
import type { Instant } from '../../../ledger/instant.ts'
import { isObject } from '../wire/json.ts'
import { Described, maybe } from './decoder.ts'
import { jsonText, requiredId, textIn } from './values.ts'

export const Customer = Type.Object({
  id: maybe(Type.String()),
  source_id: Described,
  name: Described,
  email: Described,
  metadata: Described
})
export type Customer = Static<typeof Customer>

/** What a payload says of the people in it. Whoever holds a card or acts exists, even where nothing else is said of them. */
export function people (occurred_at: Instant, told: ReadonlyArray<Customer | null | undefined>, ids: ReadonlyArray<string | null>): Fact[] {
  const sightings = new Map<string, CustomerSighting>()
  for (const customer of told) {
    for (const sighting of customerSighting(customer, occurred_at)) {
      const before = sightings.get(sighting.customer_id)
      sightings.set(sighting.customer_id, before === undefined ? sighting : { ...before, fields: { ...sighting.fields, ...before.fields } })
    }
  }
  for (const customer_id of ids) {
    if (customer_id !== null && !sightings.has(customer_id)) sightings.set(customer_id, { fact: 'customer', customer_id, occurred_at, fields: {} })
  }
  return [...sightings.values()]
}

/** What a customer object says of its customer; nothing when it does not say whose it is. */
export function customerSighting (customer: Customer | null | undefined, occurred_at: Instant): CustomerSighting[] {
  if (customer === null || customer === undefined || customer.id === null || customer.id === undefined) return []
  const sighting: CustomerSighting = { fact: 'customer', customer_id: requiredId(customer.id, 'customer.id'), occurred_at, fields: {} }
  for (const field of ['source_id', 'name', 'email'] as const) {
    const value = textIn(customer[field])
    if (value !== undefined) sighting.fields[field] = value
  }
  if (customer.metadata === null || isObject(customer.metadata)) sighting.fields.metadata = jsonText(customer.metadata)
  return [sighting]
}
