/** Recognises one person in texts, by what is known of them. */
export interface PersonMatcher {
  /** An e-mail address or a telephone number of theirs. */
  reachedBy: (text: string) => boolean
  /** An e-mail address, a telephone number or a full name of theirs. */
  namedIn: (text: string) => boolean
  /** Also a single name: only for free text that people type, since elsewhere a name can be an ordinary word. */
  hintedIn: (text: string) => boolean
}

/** Shorter names are initials, and occur inside other words. */
const MIN_NAME_CHARACTERS = 3
const MIN_PHONE_DIGITS = 7

export const NOTHING_KNOWN: PersonMatcher = { reachedBy: () => false, namedIn: () => false, hintedIn: () => false }

/** @param strings names, e-mail addresses, telephone numbers, as payloads write them */
export function recognise (strings: Iterable<string>): PersonMatcher {
  const observed = [...new Set([...strings].map(text => text.normalize('NFC').trim()))]
  const addresses = observed.filter(isAddress).map(text => text.toLowerCase())
  const phones = observed.filter(text => !isAddress(text) && isNumber(text)).map(digitsOf)
  const names = observed.filter(text => !isAddress(text) && !isNumber(text)).map(wordsOf)
  const full = anyOf(names.filter(words => words.length > 1).flatMap(words => [words, [...words].reverse()]).map(words => words.map(escape).join('[\\s,._-]+')))
  // The words of a street line are ordinary words.
  const single = anyOf(names.filter(words => !words.some(word => /\d/.test(word))).flat().map(escape))
  const reachedBy = (text: string): boolean => {
    const lower = addresses.length === 0 ? '' : text.normalize('NFC').toLowerCase()
    const digits = phones.length === 0 ? '' : digitsOf(text)
    return addresses.some(address => lower.includes(address)) || phones.some(phone => digits.includes(phone))
  }
  const namedIn = (text: string): boolean => reachedBy(text) || (full?.test(text.normalize('NFC')) ?? false)
  return { reachedBy, namedIn, hintedIn: text => namedIn(text) || (single?.test(text.normalize('NFC')) ?? false) }
}

/** Is an id of the merchant's really an e-mail address or a telephone number? Digits alone are an ordinary number. */
export function isPersonalId (text: string): boolean {
  return isAddress(text) || (isNumber(text) && /^(\+|00)|[\s().-]/.test(text.trim()) && digitsOf(text).length >= 9)
}

export function isAddress (text: string): boolean {
  return /[^\s@]@[^\s@]/.test(text)
}

function isNumber (text: string): boolean {
  const digits = digitsOf(text).length
  return /^\+?[\d\s()./-]+$/.test(text.trim()) && digits >= MIN_PHONE_DIGITS && digits <= 15
}

function digitsOf (text: string): string {
  return text.replace(/\D/g, '')
}

function wordsOf (text: string): string[] {
  return text.split(/[\s,._-]+/u).filter(word => word.length >= MIN_NAME_CHARACTERS)
}

function anyOf (patterns: readonly string[]): RegExp | undefined {
  return patterns.length === 0 ? undefined : new RegExp(`(?<![\\p{L}\\p{N}])(?:${[...new Set(patterns)].join('|')})(?![\\p{L}\\p{N}])`, 'iu')
}

function escape (text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}
