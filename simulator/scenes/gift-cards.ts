import type { GiftRow } from '../model.ts'
import { giftRowEvent } from '../payloads/gift-card.ts'
import { between, liveCustomers, type Scene } from '../stage.ts'

/** Money moves on a gift card. Its rows look like rows of a loyalty card, and hold no points. */
export const moveCredits: Scene = stage => {
  const { random, mint, world } = stage
  const customers = liveCustomers(stage)
  if (customers.length === 0) return false
  const amount = random.integer(1, 20) * 100
  const added = random.chance(0.5)
  const row: GiftRow = {
    id: mint('vtx'),
    voucher_id: mint('v'),
    campaign_id: mint('camp'),
    type: added ? 'CREDITS_ADDITION' : 'CREDITS_REDEMPTION',
    amount: added ? amount : -amount,
    balance: amount + random.integer(0, 50) * 100,
    at: stage.now + between(random, 0.01, 0.3),
    holder: random.pick(customers).now,
    untyped: random.chance(0.5)
  }
  world.gifts.push(row)
  stage.emit(giftRowEvent(stage.stamp(), row))
  return true
}
