/*
 * Numbers of a JSON text as they were written. `JSON.parse` makes 1152921506151679042 to 1152921506151679000, 19.990
 * to 19.99 and 1e400 to infinity: whatever must come out as it came in is kept as text.
 */

const ZERO = 0x30
const NINE = 0x39
/** A JavaScript number holds every integer of fewer digits. */
const MANY_DIGITS = 16

/** A string, which is skipped, or a number. */
const STRING_OR_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g
const EXPONENT = /\d[eE][-+\d]*[\s,\]}]/

/**
 * Might JavaScript write a number of this JSON text otherwise than the text does? False is certain, true is not. Looks
 * at few characters: nearly every payload has only short integers, and each of them is asked.
 */
export function mayRewriteNumbers (json: string): boolean {
  return hasFraction(json) || hasLongInteger(json) || hasNegativeZero(json) || EXPONENT.test(json)
}

function hasFraction (json: string): boolean {
  for (let at = json.indexOf('.'); at !== -1; at = json.indexOf('.', at + 1)) {
    let end = at + 1
    while (isDigitAt(json, end)) end++
    if (end > at + 1 && endsNumber(json.charCodeAt(end))) return true
  }
  return false
}

function hasNegativeZero (json: string): boolean {
  for (let at = json.indexOf('-0'); at !== -1; at = json.indexOf('-0', at + 2)) {
    if (endsNumber(json.charCodeAt(at + 2))) return true
  }
  return false
}

// So many digits in a row cover every sixteenth character somewhere.
function hasLongInteger (json: string): boolean {
  for (let at = MANY_DIGITS - 1; at < json.length; at += MANY_DIGITS) {
    if (!isDigitAt(json, at)) continue
    let [first, end] = [at, at + 1]
    while (isDigitAt(json, first - 1)) first--
    while (isDigitAt(json, end)) end++
    if (end - first >= MANY_DIGITS && endsNumber(json.charCodeAt(end))) return true
  }
  return false
}

function isDigitAt (text: string, index: number): boolean {
  const code = text.charCodeAt(index)
  return code >= ZERO && code <= NINE
}

function endsNumber (code: number): boolean {
  return code === 0x2c || code === 0x7d || code === 0x5d || code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09
}

/**
 * The JSON text with each number that JavaScript would write otherwise as a string: `mark` and the number as written.
 * @param mark text that begins no string of the JSON, without characters that JSON escapes
 */
export function markNumbers (json: string, mark: string): string {
  return json.replace(STRING_OR_NUMBER, token => token.startsWith('"') || String(Number(token)) === token ? token : `"${mark}${token}"`)
}

/** Puts the marked numbers back into a JSON text that was written from values parsed of a marked one. */
export function unmarkNumbers (json: string, mark: string): string {
  return json.includes(mark) ? json.replaceAll(new RegExp(`"${mark}(-?[\\d.eE+-]+)"`, 'g'), '$1') : json
}
