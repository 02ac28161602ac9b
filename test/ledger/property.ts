import { fc, SEED } from '../support/chance.ts'
import type { Test } from 'tap'

/** How many cases a cheap property tries. */
export const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 1000)

if (!Number.isSafeInteger(RUNS) || RUNS < 1) throw new RangeError('PROPERTY_RUNS must be a whole number from 1')

/**
 * Tries a property; the predicate throws where it does not hold. A failure prints the smallest case with its seed and
 * path, and `fc.assert(property, { seed, path })` repeats it.
 */
export function always<Case extends unknown[]> (t: Test, property: fc.IProperty<Case>, runs = RUNS): void {
  const { failed, numRuns } = fc.check(property, { numRuns: runs })
  if (failed) fc.assert(property, { numRuns: runs })
  t.equal(numRuns, runs, `held in ${runs} cases of seed ${SEED}`)
}
