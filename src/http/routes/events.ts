import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { findEvents, listEvents, type ListedEvent } from '../../log/read.sql.ts'
import { pageOf, readCursor, rowsFor } from '../paging.ts'
import { notFound } from '../problem.ts'
import { ListOf, Page, problems } from '../schemas/common.ts'
import { Event, EventWithBody } from '../schemas/event.ts'
import { parseJson, sendNumbersAsKept } from '../json-numbers.ts'
import { askable, type ReadOptions } from '../read-query.ts'

/** Routes that read the log, for operators. */
export const eventRoutes: FastifyPluginAsyncTypebox<ReadOptions> = async (app, { db }) => {
  app.get('/v1/events', {
    schema: {
      operationId: 'listEvents',
      summary: 'List the events of the log by shard and position',
      tags: ['events'],
      querystring: Type.Object({ shard: Type.Optional(Type.Integer({ minimum: 0, maximum: 1023 })), ...Page }, { additionalProperties: false }),
      response: { 200: ListOf(Event), ...problems(400, 401, 403, 503) }
    }
  }, async ({ query }) => {
    const list = ['listEvents', query.shard] as const
    const [shard, position] = readCursor(list, query.cursor, ['smallint', 'bigint']) ?? []
    const after = shard === undefined || position === undefined ? undefined : { shard: Number(shard), position: BigInt(position) }
    const rows = await listEvents(db, { shard: query.shard, after, limit: rowsFor(query.limit) })
    const page = pageOf(list, rows, query.limit, row => [row.shard, String(row.position)])
    return { ...page, items: page.items.map(present) }
  })

  app.get('/v1/events/:event_id', {
    onSend: sendNumbersAsKept,
    schema: {
      operationId: 'getEvent',
      summary: 'Get the events with an id, one per subject, with their bodies as received',
      tags: ['events'],
      params: Type.Object({ event_id: Type.String() }),
      querystring: Type.Object(Page, { additionalProperties: false }),
      response: { 200: ListOf(EventWithBody), ...problems(400, 401, 403, 404, 503) }
    }
  }, async ({ params, query }) => {
    const id = askable('event', params.event_id)
    const list = ['getEvent', id] as const
    const after = readCursor(list, query.cursor, ['text'])?.[0]
    const rows = await findEvents(db, id, { after, limit: rowsFor(query.limit) })
    if (rows.length === 0 && after === undefined) throw notFound('event', id)
    const page = pageOf(list, rows, query.limit, row => [row.subject])
    return { ...page, items: page.items.map(row => ({ ...present(row), body: parseJson(row.body), body_text: row.body })) }
  })
}

function present<Row extends ListedEvent> (row: Row) {
  return {
    ...row,
    position: `${row.shard}:${row.position}`,
    recorded_at: row.recorded_at,
    body_digest: row.body_digest.toString('hex'),
    fact_digest: row.fact_digest.toString('hex'),
    chain: row.chain.toString('hex')
  }
}
