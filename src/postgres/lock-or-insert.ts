/**
 * Locks rows, most of which are there, and makes the others first. Two that make the same rows while they hold others can wait
 * in a circle; PostgreSQL ends one of them, and it tries again.
 * @param lock locks those of the rows that exist
 * @param make makes rows; one that somebody else made meanwhile is left as it is
 * @returns all of the rows
 */
export async function lockOrInsert<Row> (
  keys: readonly string[], keyOf: (row: Row) => string,
  lock: (keys: readonly string[]) => Promise<Row[]>, make: (missing: readonly string[]) => Promise<void>
): Promise<Row[]> {
  const there = await lock(keys)
  if (there.length === keys.length) return there
  const known = new Set(there.map(keyOf))
  const missing = keys.filter(key => !known.has(key))
  await make(missing)
  const made = await lock(missing)
  return [...there, ...made]
}
