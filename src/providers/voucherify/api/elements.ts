/**
 * The texts of the elements of a list in a JSON object, each as it was received: parsing and writing them again would
 * change numbers that JavaScript cannot hold.
 * @param json text of a JSON object, which parses
 * @param name of the member with the list; the last one of that name counts, as for a parser
 */
export function elementTexts (json: string, name: string): string[] {
  let found: string[] = []
  let at = json.indexOf('{') + 1
  for (;;) {
    const key = skipTo(json, at, '"')
    if (key === -1) return found
    const end = valueEnd(json, key)
    const start = skipSpace(json, json.indexOf(':', end) + 1)
    if (JSON.parse(json.slice(key, end)) === name && json[start] === '[') found = elementsFrom(json, start + 1)
    at = skipSpace(json, valueEnd(json, start))
    if (json[at] !== ',') return found
    at++
  }
}

/** @param at right after the opening bracket */
function elementsFrom (json: string, at: number): string[] {
  const elements: string[] = []
  let start = skipSpace(json, at)
  while (start < json.length && json[start] !== ']') {
    const end = valueEnd(json, start)
    elements.push(json.slice(start, end))
    const next = skipSpace(json, end)
    start = json[next] === ',' ? skipSpace(json, next + 1) : next
  }
  return elements
}

function skipTo (json: string, at: number, sign: string): number {
  const start = skipSpace(json, at)
  return json[start] === sign ? start : -1
}

function skipSpace (json: string, at: number): number {
  while (json[at] === ' ' || json[at] === '\n' || json[at] === '\r' || json[at] === '\t') at++
  return at
}

/** Where the value ends that begins at a place. */
function valueEnd (json: string, start: number): number {
  let level = 0
  for (let at = start; at < json.length; at++) {
    const sign = json[at]
    if (sign === '"') {
      for (at++; json[at] !== '"'; at++) if (json[at] === '\\') at++
    } else if (sign === '{' || sign === '[') {
      level++
      continue
    } else if (sign === '}' || sign === ']') {
      // The end of what surrounds a number or a word.
      if (level === 0) return at
      level--
    } else if (level > 0 || !(sign === ',' || sign === ' ' || sign === '\n' || sign === '\r' || sign === '\t')) {
      continue
    } else {
      return at
    }
    if (level === 0) return at + 1
  }
  return json.length
}
