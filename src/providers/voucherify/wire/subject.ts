import { idOf, naturalKey } from './ids.ts'
import type { JsonObject } from './json.ts'

/** What an event is about when nothing better is known. */
export const NO_SUBJECT = '-'

/** Candidates in order: the first one that has an id names the subject. */
type Rule = [types: RegExp, candidates: (data: JsonObject, state: string) => Array<[entity: string, id: string | undefined, state?: string]>]

/**
 * The natural key of what an event is about, by its type, for events that no family reads. It is part of the event's
 * key, which never changes: a rule may be added for a new type, but never altered for an old one.
 */
const RULES: Rule[] = [
  [/(^|\.)loyalty_card\.pending_points\./, (data, state) => [['transaction', idOf(data.transaction)], ['pending', idOf(data.pending_points), state]]],
  [/(^|\.)loyalty_card\./, data => [['transaction', idOf(data.transaction)], ['card', idOf(data.voucher)]]],
  [/(^|\.)redemption\.rollback\./, data => [['rollback', idOf(data.redemption_rollback)], ['redemption', idOf(data.redemption)]]],
  [/(^|\.)redemption\./, data => [['redemption', idOf(data.redemption)]]],
  [/^customer\.rewarded$/, data => [['redemption', idOf(data.redemption)]]],
  [/^customer\.reward_redemptions\./, data => [['redemption', idOf(data.reward_redemption)]]],
  [/loyalty\.tier\./, data => [['tier', idOf(data.loyalty_tier) ?? idOf(data.loyalty_tier_to)]]],
  [/^campaign\.loyalty_tier\./, data => [['tier', idOf(data.loyalty_tier)]]],
  [/^customer\.holder\.assignment\./, data => [['card', idOf(data.voucher)]]],
  [/^voucher\./, data => [['card', idOf(data.voucher)]]],
  [/^customer\.(created|updated|deleted)$/, data => [['customer', idOf(data.customer)]]]
]

/** @returns `entity:id`, or `-` where the type is unknown or its object carries no usable id */
export function subjectOf (type: string, data: JsonObject): string {
  const rule = RULES.find(([types]) => types.test(type))
  const named = rule?.[1](data, type.slice(type.lastIndexOf('.') + 1)).find(([, id]) => id !== undefined)
  if (named !== undefined) return naturalKey(named[0], ...named.slice(1).filter(part => part !== undefined))
  return NO_SUBJECT
}
