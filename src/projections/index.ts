import { cards } from './cards/projection.ts'
import { customers } from './customers/projection.ts'
import { expirations } from './expirations/projection.ts'
import { orders } from './orders/projection.ts'
import type { Projection } from '../engine/projection.ts'
import { tiers } from './tiers/projection.ts'
import { unread } from './unread/projection.ts'

/** The projections, in the order in which a step writes them. The order is fixed, so that steps cannot deadlock. */
export const projections: readonly Projection[] = [customers, tiers, unread, orders, expirations, cards]
