import type { Scene, Stage } from '../stage.ts'
import { adjust, earnBySegment, expire, transfer } from './adjusting.ts'
import { moveCredits } from './gift-cards.ts'
import { anotherCard, cardLife, join } from './joining.ts'
import { advanceOrder, placeOrder } from './orders.ts'
import { activateLot, cancelLot, updateLot } from './pending.ts'
import { assignAndRelease, assignCard, changeCustomer, changeTier, releaseCard } from './people.ts'
import { redeemDiscount, refund, spend, failToSpend, spendOnReward, spendStacked } from './spending.ts'
import { spendAtOnce, spendSimultaneously } from './simultaneous.ts'

/** How often each scene is chosen, relative to the others. */
const WEIGHTS: ReadonlyArray<[weight: number, scene: Scene]> = [
  [24, placeOrder],
  [18, advanceOrder],
  [10, spend],
  [6, spendOnReward],
  [4, refund],
  [1.5, spendStacked],
  [2, failToSpend],
  [3, spendSimultaneously],
  [2, spendAtOnce],
  [6, adjust],
  [4, expire],
  [4, transfer],
  [2, earnBySegment],
  [6, activateLot],
  [2, updateLot],
  [1.5, cancelLot],
  [1.5, releaseCard],
  [4, assignCard],
  [2, assignAndRelease],
  [2, changeCustomer],
  [5, changeTier],
  [1, anotherCard],
  [2, cardLife],
  [1, redeemDiscount],
  [1, moveCredits]
]
const TOTAL = WEIGHTS.reduce((sum, [weight]) => sum + weight, 0)

/** Plays one scene. Customers join until there are `customers`. */
export function playScene (stage: Stage, customers: number): void {
  const { world, random } = stage
  if (world.customers.length === 0 || (world.customers.length < customers && random.chance(0.3))) {
    join(stage)
    return
  }
  for (let attempt = 0; attempt < 20; attempt++) {
    if (draw(random.next() * TOTAL)(stage)) return
  }
  // No scene can be played with the customers there are.
  join(stage)
}

function draw (at: number): Scene {
  let passed = 0
  for (const [weight, scene] of WEIGHTS) {
    passed += weight
    if (at < passed) return scene
  }
  return placeOrder
}
