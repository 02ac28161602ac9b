import { MAX_DEPTH } from '../wire/json.ts'

/**
 * A JSON text as a tree, each part with its original characters: what is not removed stays as it was received, even a
 * number that JavaScript cannot hold, a key that occurs twice or a key called `__proto__`.
 */
export type JsonNode = ObjectNode | ArrayNode | StringNode | { kind: 'other', raw: string }
export interface ObjectNode { kind: 'object', raw: string, members: Member[] }
export interface ArrayNode { kind: 'array', raw: string, items: JsonNode[] }
export interface StringNode { kind: 'string', raw: string, value: string }
export interface Member { key: string, raw_key: string, value: JsonNode }

/** @returns undefined where the text is not JSON, or nests deeper than a delivery may */
export function treeOf (text: string): JsonNode | undefined {
  try {
    JSON.parse(text)
    return readValue({ text, at: 0 }, 0)
  } catch {
    return undefined
  }
}

/** Of the value of a JSON string: the tree of the JSON object or list that it holds; undefined where it holds none. */
export function nestedTree (text: string): JsonNode | undefined {
  return /^\s*[[{]/.test(text) ? treeOf(text) : undefined
}

/** The last member with a name: it is the one that counts where a name occurs twice. */
export function memberOf (node: JsonNode | undefined, name: string): JsonNode | undefined {
  return node?.kind === 'object' ? node.members.findLast(({ key }) => key === name)?.value : undefined
}

export function textOf (node: JsonNode | undefined): string | undefined {
  return node?.kind === 'string' ? node.value : undefined
}

interface Cursor { text: string, at: number }

// JSON.parse has accepted the text: only the depth is checked again, since this recurses.
function readValue (cursor: Cursor, depth: number): JsonNode {
  if (depth > MAX_DEPTH) throw new RangeError('nests too deep')
  skipSpace(cursor)
  const start = cursor.at
  const raw = (): string => cursor.text.slice(start, cursor.at)
  switch (cursor.text[start]) {
    case '{': {
      const members = readList(cursor, '}', () => readMember(cursor, depth))
      return { kind: 'object', members, raw: raw() }
    }
    case '[': {
      const items = readList(cursor, ']', () => readValue(cursor, depth + 1))
      return { kind: 'array', items, raw: raw() }
    }
    case '"': return { kind: 'string', ...readString(cursor) }
    default: {
      while (cursor.at < cursor.text.length && !/[\s,\]}]/.test(cursor.text[cursor.at] as string)) cursor.at++
      return { kind: 'other', raw: raw() }
    }
  }
}

function readList<T> (cursor: Cursor, end: string, read: () => T): T[] {
  const list: T[] = []
  cursor.at++
  skipSpace(cursor)
  while (cursor.text[cursor.at] !== end) {
    list.push(read())
    skipSpace(cursor)
    if (cursor.text[cursor.at] === ',') cursor.at++
    skipSpace(cursor)
  }
  cursor.at++
  return list
}

function readMember (cursor: Cursor, depth: number): Member {
  const { value: key, raw: raw_key } = readString(cursor)
  skipSpace(cursor)
  cursor.at++
  return { key, raw_key, value: readValue(cursor, depth + 1) }
}

function readString (cursor: Cursor): { raw: string, value: string } {
  const start = cursor.at++
  while (cursor.text[cursor.at] !== '"') cursor.at += cursor.text[cursor.at] === '\\' ? 2 : 1
  const raw = cursor.text.slice(start, ++cursor.at)
  return { raw, value: JSON.parse(raw) as string }
}

function skipSpace (cursor: Cursor): void {
  while (cursor.text.charCodeAt(cursor.at) <= 0x20) cursor.at++
}
