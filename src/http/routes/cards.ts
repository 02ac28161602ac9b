import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { cardsAt } from '../../history/cards.ts'
import { explainLines } from '../../history/explain.ts'
import { linesAt } from '../../history/statement.ts'
import type { Clocks } from '../../ledger/time-travel.ts'
import { findCard, listCardLines, type LineMark, type ShownCard } from '../../projections/cards/reads.sql.ts'
import type { Db, Trx } from '../../postgres/database.ts'
import { onOneState } from '../../engine/snapshot.sql.ts'
import type { LineRow } from '../../postgres/tables.ts'
import { clockMarks, looksBack, readClocks, readCursorAt } from '../as-of.ts'
import { presentExplained } from '../explained.ts'
import { pageOf, rowsFor } from '../paging.ts'
import { notFound } from '../problem.ts'
import { CardDetails, Line } from '../schemas/card.ts'
import { ClockQuery } from '../schemas/clocks.ts'
import { Freshness, ListOf, Page, problems } from '../schemas/common.ts'
import { ExplainedLine } from '../schemas/explain.ts'
import { askable, awaitPosition, type ReadOptions } from '../read-options.ts'

const Params = Type.Object({ card: Type.String({ description: 'The card\'s id, v_…, or its code' }) })

/** Cards and their statements. */
export const cards: FastifyPluginAsyncTypebox<ReadOptions> = async (app, options) => {
  app.get('/v1/cards/:card', {
    schema: {
      operationId: 'getCard',
      summary: 'A card with its sums, now or at a moment of either clock',
      tags: ['cards'],
      params: Params,
      querystring: Type.Object({ ...ClockQuery, ...Freshness }, { additionalProperties: false }),
      response: { 200: CardDetails, ...problems(400, 401, 403, 404, 503, 504) }
    }
  }, async ({ params, query }) => {
    const key = askable('card', params.card)
    const clocks = readClocks(query)
    await awaitPosition(options, query)
    if (!looksBack(clocks)) return { ...await requireCard(options.db, key), ...clocks }
    const [card] = await onOneState(options.db, async trx => await cardsAt(trx, [await requireCard(trx, key)], clocks))
    return { ...card as ShownCard, ...clocks }
  })

  app.get('/v1/cards/:card/movements', {
    schema: {
      operationId: 'listCardMovements',
      summary: 'A card\'s statement, newest first',
      tags: ['cards'],
      params: Params,
      querystring: Type.Object({ ...ClockQuery, ...Page, ...Freshness }, { additionalProperties: false }),
      response: { 200: ListOf(Line), ...problems(400, 401, 403, 404, 503, 504) }
    }
  }, async ({ params, query }) => {
    const key = askable('card', params.card)
    const clocks = readClocks(query)
    const before = readMark(query.cursor, clocks)
    await awaitPosition(options, query)
    const rows = await onOneState(options.db, async trx => {
      const { card_id } = await requireCard(trx, key)
      return await listLines(trx, card_id, clocks, { before, limit: rowsFor(query.limit) })
    })
    return pageOf(rows, query.limit, markOf(clocks))
  })

  app.get('/v1/cards/:card/explain', {
    schema: {
      operationId: 'explainCard',
      summary: 'A card\'s statement, newest first, with every event that told each line, and why it says what it says',
      tags: ['cards'],
      params: Params,
      querystring: Type.Object({ ...ClockQuery, ...Page, ...Freshness }, { additionalProperties: false }),
      response: { 200: ListOf(ExplainedLine), ...problems(400, 401, 403, 404, 503, 504) }
    }
  }, async ({ params, query }) => {
    const key = askable('card', params.card)
    const clocks = readClocks(query)
    const before = readMark(query.cursor, clocks)
    await awaitPosition(options, query)
    return await onOneState(options.db, async trx => {
      const { card_id } = await requireCard(trx, key)
      const rows = await listLines(trx, card_id, clocks, { before, limit: rowsFor(query.limit) })
      const page = pageOf(rows, query.limit, markOf(clocks))
      const explained = await explainLines(trx, card_id, page.items, rows[page.items.length], clocks)
      return { ...page, items: explained.map(presentExplained) }
    })
  })
}

async function requireCard (db: Db, key: string): Promise<ShownCard> {
  const card = await findCard(db, key)
  if (card === undefined) throw notFound('card', key)
  return card
}

type CardMark = Omit<LineMark, 'card_id'>

function readMark (cursor: string | undefined, clocks: Clocks): CardMark | undefined {
  const [occurred_at, tie, movement_id] = readCursorAt(cursor, ['instant', 'integer', 'text'], clocks) ?? []
  return occurred_at === undefined || movement_id === undefined ? undefined : { occurred_at, tie: Number(tie), movement_id }
}

function markOf (clocks: Clocks) {
  return (row: LineRow) => [row.occurred_at, row.tie, row.movement_id, ...clockMarks(clocks)]
}

/** A page of a card's statement, newest first. */
async function listLines (trx: Trx, card_id: string, clocks: Clocks, page: { before: CardMark | undefined, limit: number }): Promise<LineRow[]> {
  if (!looksBack(clocks)) return await listCardLines(trx, card_id, page)
  const before = page.before === undefined ? undefined : { ...page.before, card_id }
  return await linesAt(trx, [card_id], clocks, { before, limit: page.limit })
}
