import type { CustomerField, CustomerObservation } from '../../ledger/facts.ts'
import { groupBy } from '../../ledger/group-by.ts'
import type { Instant } from '../../ledger/instant.ts'
import type { CustomerRow } from '../../postgres/tables.ts'
import { lockCustomers, updateCustomers } from './rows.sql.ts'
import { latestOf, observedOf, type Projection } from '../../engine/projection.ts'

const FIELDS = ['source_id', 'name', 'email', 'metadata', 'deleted_at'] as const satisfies readonly CustomerField[]

/** Customer profiles: the newest observed value of each field. */
export const customers: Projection = {
  name: 'customers',
  version: 2,
  entity: 'customer',
  tables: [
    { name: 'customers', about: 'customer_id', key: ['customer_id'] }
  ],
  async apply (trx, observed) {
    const observations = observedOf(observed, 'customer').map(({ fact }) => fact)
    if (observations.length === 0) return
    const byCustomer = groupBy(observations, observation => observation.customer_id)
    const stored = await lockCustomers(trx, [...byCustomer.keys()])
    await updateCustomers(trx, stored.map(row => fold(row, byCustomer.get(row.customer_id) ?? [])))
  }
}

function fold (row: CustomerRow, observations: readonly CustomerObservation[]): CustomerRow {
  const times = [row.first_seen_at, row.last_seen_at, ...observations.map(observation => observation.occurred_at)].filter(time => time !== null).sort()
  return {
    customer_id: row.customer_id,
    ...latestOf(row, FIELDS, observations) as Pick<CustomerRow, typeof FIELDS[number] | 'field_times'>,
    first_seen_at: times[0] as Instant,
    last_seen_at: times.at(-1) as Instant
  }
}
