import type { PullSide } from '../../pull.ts'
import { judge, SETTINGS } from './answers.ts'
import { lists } from './lists.ts'

/** How to ask Voucherify's API, version 1. */
export const pull: PullSide = {
  default_url: 'https://api.voucherify.io',
  settings: SETTINGS,
  headersFor: ({ id, token }) => ({ 'x-app-id': id, 'x-app-token': token, 'x-voucherify-channel': 'loyalty-ledger' }),
  judge,
  lists
}
