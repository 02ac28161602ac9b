import { cards } from './cards.ts'
import { customers } from './customers.ts'
import { orders } from './orders.ts'
import type { Projection } from './projection.ts'
import { tiers } from './tiers.ts'

/** The live projections, in the order in which a step writes them: always the same, so that steps never wait in a circle. */
export const projections: readonly Projection[] = [customers, tiers, orders, cards]
