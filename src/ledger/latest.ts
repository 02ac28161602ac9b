import type { Instant } from './instant.ts'
import { compareText } from './text.ts'

/** By field, the time of the observation that set it. Rows keep it as a JSON object. */
export type FieldTimes<Field extends string = string> = Partial<Record<Field, Instant>>

/** A record whose fields are set at different times. */
export interface Latest<Field extends string> {
  values: Partial<Record<Field, string | null>>
  field_times: FieldTimes<Field>
}

/** An observation as a mergeable record: every field it carries, set at one time. */
export function observeFields<Field extends string> (fields: Partial<Record<Field, string | null>>, occurred_at: Instant): Latest<Field> {
  const observed: Latest<Field> = { values: {}, field_times: {} }
  for (const [name, value] of Object.entries(fields) as Array<[Field, string | null]>) {
    observed.values[name] = value
    observed.field_times[name] = occurred_at
  }
  return observed
}

/**
 * The newest value wins, field by field; of two observed at the same time the greater one, so that neither the order of
 * arrival nor the source decides. Commutative, associative and idempotent.
 */
export function mergeLatest<Field extends string> (a: Latest<Field>, b: Latest<Field>): Latest<Field> {
  const merged: Latest<Field> = { values: { ...a.values }, field_times: { ...a.field_times } }
  for (const name of Object.keys(b.field_times) as Field[]) {
    if (compareFieldObservations(a, b, name) >= 0) continue
    merged.values[name] = b.values[name] ?? null
    merged.field_times[name] = b.field_times[name]
  }
  return merged
}

function compareFieldObservations<Field extends string> (a: Latest<Field>, b: Latest<Field>, name: Field): number {
  return compareText(a.field_times[name] ?? '', b.field_times[name] ?? '') ||
    compareValues(a.values[name] ?? null, b.values[name] ?? null)
}

// Null is less than any text.
function compareValues (a: string | null, b: string | null): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? -1 : 1
  return compareText(a, b)
}
