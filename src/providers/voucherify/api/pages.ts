import { parseInstant, type Instant } from '../../../ledger/instant.ts'
import { PullFailed, type ApiCall } from '../../pull.ts'
import { isObject, type JsonObject } from '../wire/json.ts'
import { readAnswer } from './answers.ts'
import { elementTexts } from './elements.ts'

/** The most that the API gives at once. */
export const PAGE_SIZE = 100
/** The API numbers pages up to here, so a listing ends after 10,000 objects. Some lists end one page earlier. */
export const MAX_PAGES = 99

/** An object of a page: its text as received, and what it holds. */
export interface ListedObject { text: string, json: JsonObject }

/** A page of a list; `date`: the API's clock. */
export interface ListPage { objects: ListedObject[], json: JsonObject, date: string | undefined }

/**
 * Reads one page of a list.
 * @returns undefined where there is no such list for this key
 * @throws PullFailed api_unreadable, and as the call
 */
export async function readPage (call: ApiCall, path: string, query: Readonly<Record<string, string | undefined>>): Promise<ListPage | undefined> {
  const answer = await call({ path: `${path}?${queryText(query)}` })
  if (answer === undefined) return undefined
  const json = readAnswer(answer, path)
  const name = typeof json.data_ref === 'string' ? json.data_ref : 'data'
  const listed = json[name]
  if (!Array.isArray(listed)) throw new PullFailed('api_unreadable', `The answer to ${path} has no list ${name}.`)
  const texts = elementTexts(answer.body, name)
  const objects = listed.flatMap((one, index) => isObject(one) ? [{ text: texts[index] ?? '', json: one }] : [])
  return { objects, json, date: answer.headers.date }
}

function queryText (query: Readonly<Record<string, string | undefined>>): string {
  return new URLSearchParams(Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined)).toString()
}

/** Pages of a list that continues after an id, oldest or newest first. */
export async function * pagesAfter (call: ApiCall, path: string, { order, after: first }: { order: 'id' | '-id', after?: string | undefined }): AsyncGenerator<ListPage> {
  let after = first
  for (;;) {
    const page = await readPage(call, path, { order, limit: String(PAGE_SIZE), starting_after_id: after })
    if (page === undefined) return
    yield page
    const next = page.json.more_starting_after ?? page.objects.at(-1)?.json.id
    // Without the last condition a server that does not move on would be asked for ever.
    if (page.json.has_more !== true || typeof next !== 'string' || next === after) return
    after = next
  }
}

export type TimeField = 'created_at' | 'updated_at'

/**
 * Pages of a list in the order of a time, each asked for by the time at which the one before ended: an object that
 * changes meanwhile moves to the end and shifts nothing, as it would shift numbered pages.
 * @param after null: from the beginning
 * @throws PullFailed api_list_too_long when more objects than a listing has share a millisecond
 */
export async function * pagesByTime (call: ApiCall, path: string, field: TimeField, after: Instant | null): AsyncGenerator<ListPage> {
  let from = after
  for (let number = 1; ;) {
    const page = await readPage(call, path, { order: field, limit: String(PAGE_SIZE), page: String(number), ...(from === null ? {} : { [`[${field}][after]`]: from }) })
    if (page === undefined) return
    yield page
    if (page.objects.length < PAGE_SIZE) return
    // Others can share the time of the last one, or its millisecond where the API compares no finer.
    const end = earlier(newestOf(page.objects, field), 1)
    if (end !== undefined && (from === null || end > from)) {
      from = end
      number = 1
    } else if (++number > MAX_PAGES) {
      throw new PullFailed('api_list_too_long', `More than ${MAX_PAGES * PAGE_SIZE} objects of ${path} have the ${field} ${from ?? 'of the first'}: the API lists no more. Import an export instead.`)
    }
  }
}

/**
 * Numbered pages. Newest first, what is added meanwhile shifts the rest back; some come twice, none is missed. Oldest
 * first, nothing shifts in the order of creation.
 */
export async function * numberedPages (call: ApiCall, path: string, order: TimeField | `-${TimeField}`): AsyncGenerator<ListPage & { last: boolean }> {
  for (let number = 1; number <= MAX_PAGES; number++) {
    const page = await readPage(call, path, { order, limit: String(PAGE_SIZE), page: String(number) })
    if (page === undefined) return
    const last = page.objects.length < PAGE_SIZE
    yield { ...page, last }
    if (last) return
  }
}

/** The newest time among some objects; undefined where none has one. */
export function newestOf (objects: readonly ListedObject[], field: TimeField): Instant | undefined {
  return objects.reduce<Instant | undefined>((newest, one) => {
    const at = timeOf(one, field)
    return at !== undefined && (newest === undefined || at > newest) ? at : newest
  }, undefined)
}

export function timeOf ({ json }: ListedObject, field: TimeField): Instant | undefined {
  const time = json[field]
  return typeof time === 'string' ? parseInstant(time) : undefined
}

/** A number of milliseconds before a time, in whole milliseconds. */
export function earlier (at: Instant | undefined, ms: number): Instant | undefined {
  return at === undefined ? undefined : parseInstant(new Date(Date.parse(at) - ms).toISOString())
}
