import type { Fact } from '../ledger/facts.ts'
import type { Instant } from '../ledger/instant.ts'
import { mergeLatest, observeFields, type FieldTimes, type Latest } from '../ledger/latest.ts'
import type { Trx } from '../postgres/database.ts'
import type { Tables } from '../postgres/tables.ts'

/** What the rows of a projection are about. Each fact is about one entity of one kind. */
export type Entity = 'customer' | 'tier' | 'order' | 'card' | 'bucket' | 'event_type'

/** What a fact is about. */
export function entityOf ({ fact }: Fact): Entity {
  switch (fact) {
    case 'movement': case 'snapshot': case 'pending': case 'card': return 'card'
    case 'order': return 'order'
    case 'customer': return 'customer'
    case 'tier': return 'tier'
    case 'expiration': return 'bucket'
    case 'unread': return 'event_type'
  }
}

/** A fact with the stored event that it comes from. */
export interface Observed<F extends Fact = Fact> {
  fact: F
  event_id: string
  subject: string
  recorded_at: Instant
  fact_digest: Buffer
}

/**
 * Tables derived from events. `apply` folds facts into them so that the rows depend only on the set of facts applied so
 * far, not on their order or repetition. It runs inside the step's transaction, which also moves the checkpoint.
 */
export interface Projection {
  name: string
  /** The entity that its rows are about. It folds the facts about such entities, and no others. */
  entity: Entity
  /** Its tables, each with the column that names the entity and those that are the row's key. */
  tables: readonly ProjectionTable[]
  /** Raised whenever the same events would give other rows. */
  version: number
  apply: (trx: Trx, observed: readonly Observed[]) => Promise<void>
}

/** A table of a projection, the column that names the entity of a row, and the columns that identify a row. */
export interface ProjectionTable { name: keyof Tables, about: string, key: readonly string[] }

/** The facts of one kind. */
export function observedOf<Kind extends Fact['fact']> (observed: readonly Observed[], kind: Kind): Array<Observed<Extract<Fact, { fact: Kind }>>> {
  return observed.filter((item): item is Observed<Extract<Fact, { fact: Kind }>> => item.fact.fact === kind)
}

/** Merges observations into fields of a stored row: the newest value of each field wins, by its field time. */
export function latestOf<Field extends string> (
  row: Record<Field, string | null> & { field_times: FieldTimes },
  fields: readonly Field[],
  observations: ReadonlyArray<{ fields: Partial<Record<Field, string | null>>, occurred_at: Instant }>
): Record<Field, string | null> & { field_times: FieldTimes } {
  const before: Latest<Field> = { values: row, field_times: row.field_times }
  const { values, field_times } = observations.reduce((latest, observed) => mergeLatest(latest, observeFields(observed.fields, observed.occurred_at)), before)
  const named = Object.fromEntries(fields.map(field => [field, values[field] ?? null])) as Record<Field, string | null>
  return { ...named, field_times }
}
