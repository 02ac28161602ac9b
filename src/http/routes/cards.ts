import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { findCard, listCardLines } from '../../store/cards.ts'
import { onOneState } from '../../store/snapshot.ts'
import { pageOf, readCursor, rowsFor } from '../paging.ts'
import { notFound } from '../problem.ts'
import { CardDetails, Line } from '../schemas/card.ts'
import { Freshness, ListOf, Page, problems } from '../schemas/common.ts'
import { askable, awaitPosition, type ReadOptions } from './reads.ts'

const Params = Type.Object({ card: Type.String({ description: 'The card\'s id, v_…, or its code' }) })

/** Cards and their statements. */
export const cards: FastifyPluginAsyncTypebox<ReadOptions> = async (app, options) => {
  app.get('/v1/cards/:card', {
    schema: {
      operationId: 'getCard',
      summary: 'A card with its sums',
      tags: ['cards'],
      params: Params,
      querystring: Type.Object(Freshness, { additionalProperties: false }),
      response: { 200: CardDetails, ...problems(400, 401, 403, 404, 503, 504) }
    }
  }, async ({ params, query }) => {
    const key = askable('card', params.card)
    await awaitPosition(options, query)
    const card = await findCard(options.db, key)
    if (card === undefined) throw notFound('card', key)
    return card
  })

  app.get('/v1/cards/:card/movements', {
    schema: {
      operationId: 'listCardMovements',
      summary: 'A card\'s statement, newest first',
      tags: ['cards'],
      params: Params,
      querystring: Type.Object({ ...Page, ...Freshness }, { additionalProperties: false }),
      response: { 200: ListOf(Line), ...problems(400, 401, 403, 404, 503, 504) }
    }
  }, async ({ params, query }) => {
    const key = askable('card', params.card)
    const [occurred_at, tie, movement_id] = readCursor(query.cursor, ['instant', 'integer', 'text']) ?? []
    await awaitPosition(options, query)
    const before = occurred_at === undefined || movement_id === undefined ? undefined : { occurred_at, tie: Number(tie), movement_id }
    const rows = await onOneState(options.db, async trx => {
      const card = await findCard(trx, key)
      if (card === undefined) throw notFound('card', key)
      return await listCardLines(trx, card.card_id, { before, limit: rowsFor(query.limit) })
    })
    return pageOf(rows, query.limit, row => [row.occurred_at, row.tie, row.movement_id])
  })
}
