import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { customerCardsAt } from '../../history/cards-at.ts'
import { customerLinesAt } from '../../history/statement.ts'
import { allStatedAt, totalsByCampaign, totalsOver, withAvailability } from '../../ledger/availability.ts'
import { listCustomerLines } from '../../projections/cards/reads.sql.ts'
import { createBalanceReader, customerExists, findCustomer, findAccount, listCustomers, listTiers, type Profile } from '../../projections/customers/reads.sql.ts'
import { listOrders } from '../../projections/orders/reads.sql.ts'
import { shardOf } from '../../log/shards.sql.ts'
import { inSnapshot } from '../../engine/snapshot.sql.ts'
import { asOfMarks, pageOf, readCursor, readCursorAt, rowsFor } from '../paging.ts'
import { notFound } from '../problem.ts'
import { CustomerLine } from '../schemas/card.ts'
import { AsOfQuery, FreshnessQuery, ListOf, Page, problems } from '../schemas/common.ts'
import { BalanceSchema, CustomerSchema, ProfileSchema } from '../schemas/customer.ts'
import { OrderSchema } from '../schemas/order.ts'
import { presentOrder } from './orders.ts'
import { parseJson, sendNumbersAsKept } from '../json-numbers.ts'
import { askable, awaitPosition, looksBack, readAsOf, type ReadOptions } from '../read-query.ts'

const Params = Type.Object({ customer_id: Type.String({ description: 'The provider\'s customer id, cust_…' }) })

/** Routes about customers: profiles, balances, orders and statements. */
export const customerRoutes: FastifyPluginAsyncTypebox<ReadOptions> = async (app, options) => {
  const { db, projections, shards } = options
  const readBalance = createBalanceReader(db, projections)

  app.get('/v1/customers', {
    onSend: sendNumbersAsKept,
    schema: {
      operationId: 'listCustomers',
      summary: 'List customers, or find them by the merchant\'s own id',
      tags: ['customers'],
      querystring: Type.Object({ source_id: Type.Optional(Type.String({ maxLength: 1024 })), ...Page, ...FreshnessQuery }, { additionalProperties: false }),
      response: { 200: ListOf(ProfileSchema), ...problems(400, 401, 403, 503, 504) }
    }
  }, async ({ query }) => {
    const list = ['listCustomers', query.source_id] as const
    const [deleted, customer_id] = readCursor(list, query.cursor, ['smallint', 'text']) ?? []
    const after = customer_id === undefined ? undefined : { deleted: deleted === '1', customer_id }
    await awaitPosition(options, query)
    if (query.source_id?.includes('\u0000') === true) return { items: [], next_cursor: null }
    const rows = await listCustomers(db, { source_id: query.source_id, after, limit: rowsFor(query.limit) })
    const page = pageOf(list, rows, query.limit, row => [Number(row.deleted_at !== null), row.customer_id])
    return { ...page, items: page.items.map(presentProfile) }
  })

  app.get('/v1/customers/:customer_id', {
    onSend: sendNumbersAsKept,
    schema: {
      operationId: 'getCustomer',
      summary: 'A customer\'s profile and totals',
      tags: ['customers'],
      params: Params,
      querystring: Type.Object(FreshnessQuery, { additionalProperties: false }),
      response: { 200: CustomerSchema, ...problems(400, 401, 403, 404, 503, 504) }
    }
  }, async ({ params, query }) => {
    const id = askable('customer', params.customer_id)
    await awaitPosition(options, query)
    const { customer, tiers } = await inSnapshot(db, async trx => ({ customer: await findCustomer(trx, id), tiers: await listTiers(trx, id) }))
    if (customer === undefined) throw notFound('customer', id)
    const { balance, unavailable, pending, unexplained, cards, orders, ...profile } = customer
    return { ...presentProfile(profile), tiers, totals: { balance, unavailable, pending, unexplained, cards, orders } }
  })

  app.get('/v1/customers/:customer_id/balance', {
    schema: {
      operationId: 'getBalance',
      summary: 'A customer\'s balance, card by card, now or as of a time',
      tags: ['customers'],
      params: Params,
      querystring: Type.Object({ ...AsOfQuery, ...FreshnessQuery }, { additionalProperties: false }),
      response: { 200: BalanceSchema, ...problems(400, 401, 403, 404, 503, 504) }
    }
  }, async ({ params, query }) => {
    const id = askable('customer', params.customer_id)
    const asOf = readAsOf(query)
    await awaitPosition(options, query)
    const shard = shardOf(id, shards)
    const balance = looksBack(asOf)
      ? await inSnapshot(db, async trx => {
        const account = await findAccount(trx, id, shard, projections)
        return account === undefined ? undefined : { ...account, cards: await customerCardsAt(trx, id, asOf) }
      })
      : await readBalance(id, shard)
    if (balance === undefined) throw notFound('customer', id)
    return {
      ...balance,
      ...asOf,
      ...totalsOver(balance.cards, asOf.at),
      balance_stated_at: allStatedAt(balance.cards),
      campaigns: totalsByCampaign(balance.cards, asOf.at),
      cards: balance.cards.map(card => withAvailability(card, asOf.at)),
      position: `${shard}:${balance.position ?? 0n}`
    }
  })

  app.get('/v1/customers/:customer_id/orders', {
    onSend: sendNumbersAsKept,
    schema: {
      operationId: 'listCustomerOrders',
      summary: 'A customer\'s orders, newest first',
      tags: ['orders'],
      params: Params,
      querystring: Type.Object({
        status: Type.Optional(Type.Unsafe<string>({ type: 'string', enum: ['CREATED', 'PAID', 'FULFILLED', 'CANCELED'] })),
        ...Page,
        ...FreshnessQuery
      }, { additionalProperties: false }),
      response: { 200: ListOf(OrderSchema), ...problems(400, 401, 403, 404, 503, 504) }
    }
  }, async ({ params, query }) => {
    const id = askable('customer', params.customer_id)
    const list = ['listCustomerOrders', id, query.status] as const
    const [placed_at, order_id] = readCursor(list, query.cursor, ['instant', 'text']) ?? []
    await awaitPosition(options, query)
    const before = placed_at === undefined || order_id === undefined ? undefined : { placed_at, order_id }
    const rows = await inSnapshot(db, async trx => {
      await requireCustomer(trx, id)
      return await listOrders(trx, id, { status: query.status, before, limit: rowsFor(query.limit) })
    })
    const page = pageOf(list, rows, query.limit, row => [row.placed_at, row.order_id])
    return { ...page, items: page.items.map(presentOrder) }
  })

  app.get('/v1/customers/:customer_id/statement', {
    schema: {
      operationId: 'listCustomerStatement',
      summary: 'The statement over all cards a customer holds, or held then, newest first',
      tags: ['customers'],
      params: Params,
      querystring: Type.Object({ ...AsOfQuery, ...Page, ...FreshnessQuery }, { additionalProperties: false }),
      response: { 200: ListOf(CustomerLine), ...problems(400, 401, 403, 404, 503, 504) }
    }
  }, async ({ params, query }) => {
    const id = askable('customer', params.customer_id)
    const asOf = readAsOf(query)
    const list = ['listCustomerStatement', id] as const
    const [occurred_at, card_id, ordinal, movement_id] = readCursorAt(list, query.cursor, ['instant', 'text', 'integer', 'text'], asOf) ?? []
    await awaitPosition(options, query)
    const before = occurred_at === undefined || card_id === undefined || movement_id === undefined ? undefined : { occurred_at, card_id, ordinal: Number(ordinal), movement_id }
    const rows = await inSnapshot(db, async trx => {
      await requireCustomer(trx, id)
      const page = { before, limit: rowsFor(query.limit) }
      return looksBack(asOf) ? await customerLinesAt(trx, id, asOf, page) : await listCustomerLines(trx, id, page)
    })
    return pageOf(list, rows, query.limit, row => [row.occurred_at, row.card_id, row.ordinal, row.movement_id, ...asOfMarks(asOf)])
  })
}

async function requireCustomer (db: ReadOptions['db'], id: string): Promise<void> {
  if (!await customerExists(db, id)) throw notFound('customer', id)
}

function presentProfile (profile: Profile) {
  return { ...profile, metadata: parseJson(profile.metadata) }
}
