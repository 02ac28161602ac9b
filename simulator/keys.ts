/** Joins ids into one key. If there are several, colons and percent signs in them are escaped. */
export function joined (entity: string, ...ids: string[]): string {
  if (ids.length === 1) return `${entity}:${ids[0]}`
  return [entity, ...ids.map(id => id.replaceAll('%', '%25').replaceAll(':', '%3A'))].join(':')
}

export const awardKey = (trigger: string, rule: string, card: string): string => joined('award', trigger, rule, card)
export const spendKey = (redemption: string, card: string): string => joined('redemption', redemption, card)
export const refundKey = (rollback: string, card: string): string => joined('rollback', rollback, card)
export const transactionKey = (transaction: string): string => joined('transaction', transaction)
export const openingKey = (card: string): string => joined('opening', card)
