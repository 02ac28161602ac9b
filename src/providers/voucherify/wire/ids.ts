import { isObject } from './json.ts'

/**
 * In UTF-8. The provider's ids have about 40 characters. A key joins up to eight of them, and an index entry must be
 * smaller than 2.7 kB.
 */
export const MAX_ID_BYTES = 256

/** Of several joined ids, which escapes can make longer. */
export const MAX_KEY_BYTES = 800

// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f]/

/**
 * Ids are opaque text, but the database must be able to store them: not empty, no control characters (they can separate
 * records on the way to the database, and text columns cannot hold U+0000), well-formed Unicode, and of a bounded
 * length.
 */
export function isUsableId (value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_ID_BYTES &&
    !CONTROL.test(value) && value.isWellFormed() && Buffer.byteLength(value) <= MAX_ID_BYTES
}

/** The first of several candidates that is a usable id. */
export function firstId (...candidates: unknown[]): string | undefined {
  return candidates.find(isUsableId)
}

/** The id of an object inside a payload, where it has a usable one. */
export function idOf (value: unknown): string | undefined {
  return isObject(value) ? firstId(value.id) : undefined
}

/**
 * Joins ids to a key, `award:ern_…:v_…`. Ids are opaque: where there are several, a colon inside one (and the escape
 * character) is escaped, or two different lists of ids could give the same key.
 */
export function naturalKey (entity: string, ...ids: string[]): string {
  if (ids.length === 1) return `${entity}:${ids[0]}`
  return [entity, ...ids.map(id => id.replace(/[%:]/g, sign => sign === ':' ? '%3A' : '%25'))].join(':')
}

/** All-zero ids (`evcus_000000000000000000`) mark a test delivery of the provider (documented). */
export function isTestId (id: unknown): boolean {
  return typeof id === 'string' && /^[a-z]+_0{6,}$/.test(id)
}
