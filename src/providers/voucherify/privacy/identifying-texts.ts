import { isAddress, isPersonalId } from '../../person.ts'
import { nestedTree, treeOf, type JsonNode } from './json-tree.ts'
import { isPastOf, whoseIs, type Whose } from './ownership.ts'

const NAMES = /^((first|last|full|middle|customer)_)?name$|^line_\d$/i
const ADDRESSES = /(^|_)(e?mail|phone|phone_number|mobile)$/i

/**
 * What a body says of a customer that would identify them elsewhere: names, e-mail addresses, telephone numbers, street
 * lines.
 */
export function identifyingTexts (body: string, customer_id: string | null): string[] {
  const found = new Set<string>()
  const tree = customer_id === null ? undefined : treeOf(body)
  if (tree !== undefined) look(tree, undefined, 'theirs', false)
  return [...found]

  function look (node: JsonNode, key: string | undefined, around: Whose, inside: boolean): void {
    switch (node.kind) {
      case 'other': if (around === 'own' && key !== undefined && ADDRESSES.test(key)) note(node.raw); return
      case 'string': {
        const nested = nestedTree(node.value)
        if (nested !== undefined) look(nested, key, around, inside)
        else if (identifies(node.value, key, around, inside)) note(node.value)
        return
      }
      case 'array': node.items.forEach(item => { look(item, key, around, inside) }); return
      case 'object': {
        const whose = around === 'own' ? 'own' : whoseIs(node, key, around, customer_id)
        for (const { key: name, value } of node.members) {
          const past = isPastOf(node, name, customer_id) && value.kind === 'object' ? value.members : []
          if (past.length > 0) past.forEach(before => { look(before.value, before.key, 'own', false) })
          else look(value, name, whose, around === 'own')
        }
      }
    }
  }

  function note (text: string): void {
    if (text.trim().length > 2 && text !== 'null') found.add(text.trim())
  }
}

/** @param inside within an object that the customer object holds: a `name` there can be a campaign's */
function identifies (text: string, key: string | undefined, whose: Whose, inside: boolean): boolean {
  if (key === undefined || whose === 'other' || whose === 'apart') return false
  if (whose === 'theirs') return ADDRESSES.test(key) || (key === 'customer_source_id' && isPersonalId(text)) || (NAMES.test(key) && key !== 'name')
  return (NAMES.test(key) && !(inside && key === 'name')) || ADDRESSES.test(key) || isAddress(text) || (key === 'source_id' && isPersonalId(text))
}
