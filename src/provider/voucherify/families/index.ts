import { award } from './award.ts'
import type { Family } from './family.ts'
import { order } from './order.ts'

/** Every family we can read. Bare data is recognised in this order. */
export const families: readonly Family[] = [award, order]

const byType = new Map(families.flatMap(family => family.types.map(type => [type, family])))

export function familyOf (type: string): Family | undefined {
  return byType.get(type)
}
