import { createProviders } from './registry.ts'
import { voucherify } from './voucherify/provider.ts'

/**
 * Every provider there is. A new one is a folder of its own and one more name here: the first one's ids are stored as
 * they are.
 */
export const knownProviders = createProviders(voucherify)
