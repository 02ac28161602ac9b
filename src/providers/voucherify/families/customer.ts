import { Type } from '@sinclair/typebox'
import { Customer, customerObservation } from '../payloads/customer.ts'
import { Described, reader } from '../payloads/decoder.ts'
import { requiredId, requiredInstant, toMilliseconds } from '../payloads/values.ts'
import { naturalKey } from '../wire/ids.ts'
import type { Family } from './family.ts'

const DELETED = 'customer.deleted'

const readCustomer = reader(Type.Object({
  customer: Type.Object({ ...Customer.properties, created_at: Described, updated_at: Described })
}))

/** A customer's profile, and its deletion, which the ledger only marks: points and orders must stay explained. */
export const customer: Family = {
  types: ['customer.created', 'customer.updated', DELETED],
  recognises: () => false,
  read (envelope) {
    const { customer } = readCustomer(envelope.data)
    const customer_id = requiredId(customer.id, 'customer.id')
    const occurred_at = requiredInstant('event.created_at', envelope.occurred_at, customer.updated_at, customer.created_at)
    const [observation] = customerObservation(customer, occurred_at)
    const fields = { ...observation?.fields }
    if (envelope.type === DELETED) {
      fields.deleted_at = occurred_at
      // The provider renames it, so that another customer can have it; people still look for this one under the old.
      delete fields.source_id
    }
    return {
      subject: naturalKey('customer', customer_id),
      customer_id,
      occurred_at,
      facts: [{ fact: 'customer', customer_id, occurred_at, fields }],
      core: { customer: customer_id, deleted: String(envelope.type === DELETED), occurred_at: toMilliseconds(occurred_at) },
      ids: [customer_id]
    }
  }
}
