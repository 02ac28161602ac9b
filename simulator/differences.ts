/** One value that differs from what the oracle expects. */
export interface Difference {
  /** The card, order or delivery that differs. */
  about: string
  field: string
  expected: unknown
  got: unknown
}

/** All differences are counted, the first 100 kept: a wrong ledger can differ everywhere. */
export interface Differences {
  add: (difference: Difference) => void
  /** Adds a difference for each named field that differs. */
  compare: (about: string, expected: object, got: object, fields: readonly string[]) => void
  readonly total: number
  readonly kept: readonly Difference[]
}

const KEPT = 100

export function createDifferences (): Differences {
  const kept: Difference[] = []
  let total = 0
  function add (difference: Difference): void {
    total++
    if (kept.length < KEPT) kept.push(difference)
  }
  return {
    add,
    compare (about, expected, got, fields) {
      const [wanted, found] = [expected, got] as Array<Record<string, unknown>>
      for (const field of fields) {
        const pair = { expected: wanted?.[field], got: found?.[field] }
        if (!same(pair.expected, pair.got)) add({ about, field, ...pair })
      }
    },
    get total () { return total },
    kept
  }
}

/** True if equal as JSON; the order of keys does not matter. */
function same (a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null || Array.isArray(a) !== Array.isArray(b)) return a === b
  const [members, others] = [a, b] as Array<Record<string, unknown>>
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every(name => Object.hasOwn(b, name) && same(members?.[name], others?.[name]))
}
