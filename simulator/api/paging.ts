import { MILLISECOND, type Micros } from '../clock.ts'
import type { JsonObject } from '../json.ts'
import { refused, type ApiAnswer } from './answer.ts'

// Both ways in which the provider pages: numbered pages, and lists that continue after an id.

/** How many objects a page has if nobody says. */
const DEFAULT_LIMIT = 10
const MAX_LIMIT = 100
const MAX_PAGE = 100
const LAST = Number.MAX_SAFE_INTEGER

type Query = URLSearchParams

/** The page size that is asked for, or why there is no page. */
export function limitOf (query: Query): number | ApiAnswer {
  return numberOf(query, 'limit', { absent: DEFAULT_LIMIT, most: MAX_LIMIT })
}

function numberOf (query: Query, name: string, { absent, most }: { absent: number, most: number }): number | ApiAnswer {
  const text = query.get(name)
  if (text === null) return absent
  const value = Number(text)
  if (Number.isInteger(value) && value >= 1 && value <= most) return value
  return refused(400, 'invalid_query_params', 'Invalid query params', { details: `Property .${name} should be between 1 and ${most}` })
}

/** One object of a list that has times. */
export interface Dated { created_at: Micros, updated_at: Micros | null, object: () => JsonObject }

/** A numbered page of a list that can be sorted by its times, objects without one last, and limited to a window. */
export function numberedPage (all: readonly Dated[], query: Query, data_ref: string): ApiAnswer {
  const limit = limitOf(query)
  if (typeof limit !== 'number') return limit
  const page = numberOf(query, 'page', { absent: 1, most: MAX_PAGE })
  if (typeof page !== 'number') return page
  const order = query.get('order') ?? '-created_at'
  const sorting = /^(-?)(created_at|updated_at)$/.exec(order)
  if (sorting === null) return refused(400, 'invalid_query_params', 'Invalid query params', { details: `Property .order does not allow ${order}` })
  const field = sorting[2] as 'created_at' | 'updated_at'
  const descending = sorting[1] === '-'
  const found = all.filter(one => within(one, query)).sort((a, b) => descending ? (b[field] ?? 0) - (a[field] ?? 0) : (a[field] ?? LAST) - (b[field] ?? LAST))
  const shown = found.slice((page - 1) * limit, page * limit)
  return { status: 200, body: { object: 'list', data_ref, [data_ref]: shown.map(({ object }) => object()), total: found.length } }
}

function within (one: Dated, query: Query): boolean {
  return (['created_at', 'updated_at'] as const).every(field => {
    const after = query.get(`[${field}][after]`)
    const before = query.get(`[${field}][before]`)
    const at = one[field]
    if (after === null && before === null) return true
    if (at === null) return false
    return (after === null || at > microsOf(after)) && (before === null || at < microsOf(before))
  })
}

function microsOf (time: string): Micros {
  const [, finer = ''] = /\.\d{3}(\d{1,3})/.exec(time) ?? []
  return Date.parse(time) * MILLISECOND + Number(finer.padEnd(3, '0'))
}

/** One object of a list that is in the order of its ids. */
export interface Listed { id: string, object: () => JsonObject }

/** The part of a list after an id, or from its beginning. `-id` lists the newest first. */
export function pageAfter (all: readonly Listed[], query: Query): ApiAnswer {
  const limit = limitOf(query)
  if (typeof limit !== 'number') return limit
  const order = query.get('order') ?? '-id'
  if (order !== 'id' && order !== '-id') return refused(400, 'invalid_query_params', 'Invalid query params', { details: `Property .order does not allow ${order}` })
  const after = query.get('starting_after_id')
  const sorted = order === 'id' ? all : all.toReversed()
  const rest = after === null ? sorted : sorted.filter(({ id }) => order === 'id' ? id > after : id < after)
  const shown = rest.slice(0, limit)
  const has_more = rest.length > shown.length
  return {
    status: 200,
    // The provider leaves the member out on the last page.
    body: { object: 'list', data_ref: 'data', data: shown.map(({ object }) => object()), has_more, ...(has_more ? { more_starting_after: shown.at(-1)?.id } : {}) }
  }
}
