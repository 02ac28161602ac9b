/** Repeatable random choices: the same seed gives the same ones on every machine. */
export interface Random {
  /** From 0 to below 1. */
  next: () => number
  /** A whole number, both ends included. */
  integer: (from: number, to: number) => number
  chance: (probability: number) => boolean
  pick: <Item>(items: readonly Item[]) => Item
  /** Lower-case hexadecimal digits. */
  hex: (digits: number) => string
  /** Letters and digits. */
  letters: (length: number) => string
  /** An independent generator for one purpose: drawing from it changes nothing here. */
  fork: (purpose: string) => Random
}

const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'

/** @param seed any text; texts that differ in one character give unrelated choices */
export function createRandom (seed: string): Random {
  const next = sfc32(seed)
  const integer = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1))
  const text = (length: number, base: number): string => {
    let drawn = ''
    for (let index = 0; index < length; index++) drawn += ALPHABET.charAt(integer(0, base - 1))
    return drawn
  }
  return {
    next,
    integer,
    chance: probability => next() < probability,
    pick: items => {
      const item = items[integer(0, items.length - 1)]
      if (item === undefined) throw new RangeError('nothing to pick from')
      return item
    },
    hex: digits => text(digits, 16),
    letters: length => text(length, ALPHABET.length),
    fork: purpose => createRandom(`${seed}/${purpose}`)
  }
}

/** Small fast counter generator (sfc32), started from a 128-bit hash of the seed. */
function sfc32 (seed: string): () => number {
  let [a, b, c, d] = hash128(seed)
  const next = (): number => {
    const sum = (a + b + d) | 0
    d = (d + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return (sum >>> 0) / 0x1_0000_0000
  }
  // The first values still depend visibly on the seed.
  for (let index = 0; index < 16; index++) next()
  return next
}

function hash128 (text: string): [number, number, number, number] {
  const words: [number, number, number, number] = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 0xdeadbeef]
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    for (let word = 0; word < 4; word++) {
      const mixed = Math.imul(words[word]! ^ code, 0x85ebca6b + 0x3d4d51c2 * word)
      words[word] = (mixed ^ (mixed >>> 13) ^ words[(word + 1) & 3]!) | 0
    }
  }
  return words
}
