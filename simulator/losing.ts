import type { Delivery } from './delivery.ts'
import { createRandom } from './random.ts'

/**
 * The deliveries that arrive when a share of the events never does, however often they are sent. Versions of a lost
 * event with other facts are lost too: else the ledger would keep one of them as the true one.
 * @param share from 0 to 1
 */
export function withoutLost (deliveries: readonly Delivery[], share: number, seed: string | number): Delivery[] {
  const random = createRandom(`lost/${seed}`)
  const fates = new Map<string, boolean>()
  return deliveries.filter(({ key }) => {
    if (key === undefined) return !random.chance(share)
    const lost = fates.get(key) ?? random.chance(share)
    fates.set(key, lost)
    return !lost
  })
}
