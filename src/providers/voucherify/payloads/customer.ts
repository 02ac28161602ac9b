import { Type, type Static } from '@sinclair/typebox'
import type { CustomerObservation, Fact } from '../../../ledger/facts.ts'
import type { Instant } from '../../../ledger/instant.ts'
import { isObject, textOfMember } from '../wire/json.ts'
import { Described, maybe } from './decoder.ts'
import { jsonText, requiredId } from './values.ts'

export const Customer = Type.Object({
  id: maybe(Type.String()),
  source_id: Described,
  name: Described,
  email: Described,
  metadata: Described
})
export type Customer = Static<typeof Customer>

/**
 * What a payload says of the people in it. Whoever holds a card or acts exists, even if nothing else is said of them.
 */
export function people (occurred_at: Instant, observed: ReadonlyArray<Customer | null | undefined>, ids: ReadonlyArray<string | null>): Fact[] {
  const observations = new Map<string, CustomerObservation>()
  for (const customer of observed) {
    for (const observation of customerObservation(customer, occurred_at)) {
      const before = observations.get(observation.customer_id)
      observations.set(observation.customer_id, before === undefined ? observation : { ...before, fields: { ...observation.fields, ...before.fields } })
    }
  }
  for (const customer_id of ids) {
    if (customer_id !== null && !observations.has(customer_id)) observations.set(customer_id, { fact: 'customer', customer_id, occurred_at, fields: {} })
  }
  return [...observations.values()]
}

/** What a customer object says of its customer; nothing when it has no id. */
export function customerObservation (customer: Customer | null | undefined, occurred_at: Instant): CustomerObservation[] {
  if (customer === null || customer === undefined || customer.id === null || customer.id === undefined) return []
  const observation: CustomerObservation = { fact: 'customer', customer_id: requiredId(customer.id, 'customer.id'), occurred_at, fields: {} }
  for (const field of ['source_id', 'name', 'email'] as const) {
    const value = textOfMember(customer, field)
    if (value !== undefined) observation.fields[field] = value
  }
  if (customer.metadata === null || isObject(customer.metadata)) observation.fields.metadata = jsonText(customer.metadata)
  return [observation]
}
