// Chance in tests. The landing run draws the same cases every time, so it fails only for what changed. `npm run
// test:long` draws others each time and prints their seed: `SEED=… npm run test:long -- FILE` draws them again.
import { randomInt } from 'node:crypto'
import fc from 'fast-check'

/** Is this `npm run test:long`, which tries more cases, and others each time? */
export const LONG = process.env['TEST_LONG'] === '1'

/** Seeds every property of a file. */
export const SEED = Number(process.env['SEED'] ?? (LONG ? randomInt(2 ** 31) : 1))

if (!Number.isSafeInteger(SEED)) throw new RangeError('SEED must be a whole number')
fc.configureGlobal({ seed: SEED })

export { fc }
