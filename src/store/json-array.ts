const JSON_OID = 114
const HEADER_BYTES = 20

/**
 * JSON texts as a parameter of type `json[]`, in the form that PostgreSQL receives without parsing an array literal, in which each
 * quote would be escaped twice: the number of dimensions, whether there are nulls, the type of the elements, how many and from
 * which index on, then each with its length before it.
 */
export function jsonArray (texts: readonly string[]): Buffer {
  const lengths = texts.map(text => Buffer.byteLength(text))
  const array = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + 4 + length, HEADER_BYTES))
  let at = 0
  for (const field of [1, 0, JSON_OID, texts.length, 1]) at = array.writeInt32BE(field, at)
  for (const [index, text] of texts.entries()) {
    at = array.writeInt32BE(lengths[index] as number, at)
    at += array.write(text, at)
  }
  return array
}
