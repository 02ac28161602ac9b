import type { MentionedIds } from '../provider.ts'
import { isUsableId } from './wire/ids.ts'
import type { Json } from './wire/json.ts'

/**
 * What an event that cannot be read may be about: every card and order that its body names, by the documented prefixes
 * of their ids. Rather too many than too few: later events of a card must not overtake one that nobody can read.
 * @param body JSON text
 */
export function mentionedIds (body: string): MentionedIds {
  const ids = new Set<string>()
  collect(JSON.parse(body) as Json, ids)
  const named = [...ids]
  return { cards: named.filter(id => id.startsWith('v_')), orders: named.filter(id => id.startsWith('ord_')) }
}

function collect (value: Json | undefined, ids: Set<string>): void {
  if (isUsableId(value)) ids.add(value)
  else if (typeof value === 'object' && value !== null) {
    for (const [name, part] of Object.entries(value)) if (name !== 'metadata') collect(part, ids)
  }
}
