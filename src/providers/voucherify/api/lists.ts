import { later, parseInstant, type Instant } from '../../../ledger/instant.ts'
import { PullFailed, type ApiCall, type PulledPage, type PulledThing, type PullList, type PullScope } from '../../pull.ts'
import { pulledBody, type PulledKind } from '../families/pulled.ts'
import { isUsableId } from '../wire/ids.ts'
import { readAnswer } from './answers.ts'
import { followRows, readAfterId, readAfterTimes, SETTLED_AFTER_MS, type AfterTimes } from './cursors.ts'
import { earlier, newestOf, numberedPages, PAGE_SIZE, pagesAfter, pagesByTime, readPage, timeOf, type ListedObject, type ListPage, type TimeField } from './pages.ts'

/**
 * The lists to read. Cards come before rows: then the rows that are read cover the moment at which a card was seen, and
 * explain its balance.
 *
 * With `since`, a list that was never read goes on from its end in later runs, so a programme whose exports were
 * imported need not be read from its beginning. Cursors that exist stay.
 */
export async function lists (call: ApiCall, { card, since }: PullScope): Promise<readonly PullList[]> {
  if (card !== undefined) return listsOfCard(call, card)
  const from = since === undefined ? undefined : parseInstant(since)
  if (since !== undefined && from === undefined) throw new RangeError(`${since} is no time`)
  const campaigns = await campaignIds(call)
  const paths = campaigns.map(id => ({ id, path: `/v1/loyalties/${encodeURIComponent(id)}` }))
  return [
    ...paths.map(({ id, path }) => byTimes(call, { name: `cards:${id}`, thing: 'cards', kind: 'card', path: `${path}/members` }, from)),
    ...paths.map(({ id, path }) => from === undefined ? rows(call, `movements:${id}`, `${path}/transactions`) : rowsSince(call, `movements:${id}`, `${path}/transactions`, from)),
    ...paths.map(({ id, path }) => lots(call, `pending:${id}`, `${path}/pending-points`)),
    orders(call, from),
    byTimes(call, { name: 'customers', thing: 'customers', kind: 'customer', path: '/v1/customers' }, from)
  ]
}

async function campaignIds (call: ApiCall): Promise<string[]> {
  const ids: string[] = []
  for (let number = 1; ; number++) {
    const page = await readPage(call, '/v1/loyalties', { limit: String(PAGE_SIZE), page: String(number) })
    if (page === undefined) throw new PullFailed('api_refused', 'The key may not list loyalty programmes. Give it the right to read campaigns, vouchers, orders and customers.')
    ids.push(...page.objects.map(({ json }) => json.id).filter(isUsableId))
    if (page.objects.length < PAGE_SIZE) return ids
  }
}

function deliveriesOf (kind: PulledKind, { objects }: Pick<ListPage, 'objects'>): Buffer[] {
  return objects.map(({ text }) => pulledBody(kind, text))
}

/** All rows of a campaign, from where the last run ended. */
function rows (call: ApiCall, name: string, path: string): PullList {
  return {
    name,
    thing: 'movements',
    async * pages (cursor) {
      const after = readAfterId(cursor)
      const follow = followRows(after)
      for await (const page of pagesAfter(call, path, { order: 'id', after })) {
        const resume = follow(page.objects)
        yield { deliveries: deliveriesOf('transaction', page), cursor: resume === undefined ? null : JSON.stringify({ after: resume }) }
      }
    }
  }
}

/** The list cannot be limited to a time: it is read backwards up to it. */
function rowsSince (call: ApiCall, name: string, path: string, since: Instant): PullList {
  return {
    name,
    thing: 'movements',
    async * pages (cursor) {
      const newest: ListedObject[] = []
      for await (const page of pagesAfter(call, path, { order: '-id' })) {
        if (newest.length < FOLLOWED_ROWS) newest.push(...page.objects)
        yield { deliveries: deliveriesOf('transaction', page), cursor: null }
        if (isPast(page, 'created_at', since)) break
      }
      const oldestFirst = newest.toReversed()
      const resume = followRows(undefined)(oldestFirst) ?? oldestFirst[0]?.json.id
      if (cursor === undefined && typeof resume === 'string') yield { deliveries: [], cursor: JSON.stringify({ after: resume }) }
    }
  }
}

/** Enough to find where the next run reads on. */
const FOLLOWED_ROWS = 3 * PAGE_SIZE

/** Open lots: one that has ended is listed no more, so they are read whole each time. */
function lots (call: ApiCall, name: string, path: string): PullList {
  return {
    name,
    thing: 'pending',
    async * pages () {
      for await (const page of pagesAfter(call, path, { order: 'id' })) yield { deliveries: deliveriesOf('pending_points', page), cursor: null }
    }
  }
}

interface TimedList { name: string, thing: PulledThing, kind: PulledKind, path: string }

/**
 * A list with windows of time. The first run reads it by creation, since an object that never changed may have no other
 * time; later ones read what was changed and what was created since.
 */
function byTimes (call: ApiCall, { name, thing, kind, path }: TimedList, since: Instant | undefined): PullList {
  async function * walk (field: TimeField, reached: AfterTimes): AsyncGenerator<PulledPage> {
    for await (const page of pagesByTime(call, path, field, reached[field])) {
      reached[field] = later(reached[field], earlier(newestOf(page.objects, field), SETTLED_AFTER_MS) ?? null)
      // What changes during the first run is found by the second one, which begins at the time of the first call.
      reached.updated_at ??= earlier(instantOf(page.date), SETTLED_AFTER_MS) ?? null
      yield { deliveries: deliveriesOf(kind, page), cursor: since === undefined ? JSON.stringify(reached) : null }
    }
  }
  return {
    name,
    thing,
    async * pages (cursor) {
      const reached = since === undefined ? readAfterTimes(cursor) : { created_at: since, updated_at: since }
      const first = reached.updated_at === null
      yield * walk('created_at', reached)
      if (!first) yield * walk('updated_at', reached)
      if (since !== undefined && cursor === undefined) yield { deliveries: [], cursor: JSON.stringify(reached) }
    }
  }
}

function instantOf (date: string | undefined): Instant | undefined {
  const ms = Date.parse(date ?? '')
  return Number.isNaN(ms) ? undefined : parseInstant(new Date(ms).toISOString())
}

/**
 * Orders have no windows of time: they are read from the newest back to where the last run began. A listing ends after
 * 9,900 of them, so a first run of more reads the oldest, too.
 */
function orders (call: ApiCall, since: Instant | undefined): PullList {
  return {
    name: 'orders',
    thing: 'orders',
    async * pages (cursor) {
      const from = since === undefined ? readAfterTimes(cursor) : { created_at: since, updated_at: since }
      const reached: AfterTimes = { ...from }
      const remarks: string[] = []
      // A fresh order has no time of a change, so the first run reads by creation, and the others by both.
      for (const field of from.updated_at === null ? ['created_at'] as const : ['updated_at', 'created_at'] as const) {
        const back = yield * newestOrders(call, field, from[field], reached)
        const whole = back.whole || (field === 'created_at' && (yield * oldestOrders(call, back.oldest)))
        if (!whole) remarks.push(`The API lists the newest and the oldest orders only, by ${field}: import an export of orders for those between.`)
      }
      // Only now: what was read is the newest part.
      yield { deliveries: [], cursor: since === undefined || cursor === undefined ? JSON.stringify(reached) : null, ...(remarks.length === 0 ? {} : { remark: remarks.join(' ') }) }
    }
  }
}

const ORDERS = '/v1/orders'

/** @returns whether all orders back to the time were read; else the oldest time that was */
async function * newestOrders (call: ApiCall, field: TimeField, from: Instant | null, reached: AfterTimes): AsyncGenerator<PulledPage, { whole: boolean, oldest: Instant | undefined }> {
  let oldest: Instant | undefined
  for await (const page of numberedPages(call, ORDERS, `-${field}`)) {
    reached[field] = later(reached[field], earlier(newestOf(page.objects, field), SETTLED_AFTER_MS) ?? null)
    reached.updated_at ??= earlier(instantOf(page.date), SETTLED_AFTER_MS) ?? null
    yield { deliveries: deliveriesOf('order', page), cursor: null }
    if (page.last || isPast(page, field, from)) return { whole: true, oldest }
    oldest = page.objects.map(one => timeOf(one, field)).findLast(time => time !== undefined) ?? oldest
  }
  return { whole: false, oldest }
}

/** @returns whether all orders up to the time were read */
async function * oldestOrders (call: ApiCall, to: Instant | undefined): AsyncGenerator<PulledPage, boolean> {
  for await (const page of numberedPages(call, ORDERS, 'created_at')) {
    yield { deliveries: deliveriesOf('order', page), cursor: null }
    if (page.last || (newestOf(page.objects, 'created_at') ?? '') > (to ?? '')) return true
  }
  return false
}

/** Does a page that is read backwards reach behind a time? */
function isPast (page: ListPage, field: TimeField, time: Instant | null): boolean {
  return time !== null && page.objects.some(one => (timeOf(one, field) ?? time) < time)
}

/** One card, by its id or code, with all its rows. As a voucher: as a member it is found by its code only. */
function listsOfCard (call: ApiCall, card: string): PullList[] {
  const path = `/v1/vouchers/${encodeURIComponent(card)}`
  return [
    {
      name: `card:${card}`,
      thing: 'cards',
      async * pages () {
        const answer = await call({ path })
        if (answer === undefined) {
          yield { deliveries: [], cursor: null, remark: `The provider has no card ${card}: it was deleted, or this key may not see it.` }
          return
        }
        readAnswer(answer, path)
        yield { deliveries: [pulledBody('card', answer.body)], cursor: null }
      }
    },
    {
      name: `movements:${card}`,
      thing: 'movements',
      async * pages () {
        for await (const page of pagesAfter(call, `${path}/transactions`, { order: 'id' })) yield { deliveries: deliveriesOf('transaction', page), cursor: null }
      }
    }
  ]
}
