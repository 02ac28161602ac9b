import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { findOrder, listOrderStates } from '../../projections/orders/reads.sql.ts'
import { inSnapshot } from '../../engine/snapshot.sql.ts'
import type { OrderRow, OrderStateRow } from '../../postgres/tables.ts'
import { notFound } from '../problem.ts'
import { FreshnessQuery, problems } from '../schemas/common.ts'
import { OrderWithStates } from '../schemas/order.ts'
import { parseJson, sendNumbersAsKept } from '../json-numbers.ts'
import { askable, awaitPosition, type ReadOptions } from '../read-query.ts'

/** The route that reads one order. */
export const orderRoutes: FastifyPluginAsyncTypebox<ReadOptions> = async (app, options) => {
  app.get('/v1/orders/:order_id', {
    onSend: sendNumbersAsKept,
    schema: {
      operationId: 'getOrder',
      summary: 'Get an order in its newest state, with every observed state',
      tags: ['orders'],
      params: Type.Object({ order_id: Type.String({ description: 'The provider\'s order id, ord_…' }) }),
      querystring: Type.Object(FreshnessQuery, { additionalProperties: false }),
      response: { 200: OrderWithStates, ...problems(400, 401, 403, 404, 503, 504) }
    }
  }, async ({ params, query }) => {
    const id = askable('order', params.order_id)
    await awaitPosition(options, query)
    const { order, states } = await inSnapshot(options.db, async trx => ({ order: await findOrder(trx, id), states: await listOrderStates(trx, id) }))
    if (order === undefined) throw notFound('order', id)
    return { ...presentOrder(order), states: states.map(presentOrder) }
  })
}

/** A stored order, or one of its states, as the API returns it. */
export function presentOrder<Row extends OrderRow | OrderStateRow> (row: Row) {
  return { ...row, items: parseJson(row.items), metadata: parseJson(row.metadata) }
}
