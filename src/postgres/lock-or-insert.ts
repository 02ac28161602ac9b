/**
 * Locks rows of which most exist, and inserts the missing ones first. Two transactions that insert the same rows while
 * they hold others can deadlock; PostgreSQL ends one of them, and it is tried again.
 * @param lock locks those of the rows that exist
 * @param insert inserts rows; one that somebody else inserted meanwhile stays as it is
 * @returns all of the rows
 */
export async function lockOrInsert<Row> (
  keys: readonly string[], keyOf: (row: Row) => string,
  lock: (keys: readonly string[]) => Promise<Row[]>, insert: (missing: readonly string[]) => Promise<void>
): Promise<Row[]> {
  const existing = await lock(keys)
  if (existing.length === keys.length) return existing
  const known = new Set(existing.map(keyOf))
  const missing = keys.filter(key => !known.has(key))
  await insert(missing)
  const inserted = await lock(missing)
  return [...existing, ...inserted]
}
