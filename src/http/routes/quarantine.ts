import { TypeBoxValidatorCompiler, type FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { describeKept, describeListed } from '../../ingest/quarantine/describe.ts'
import { redrive } from '../../ingest/quarantine/redrive.ts'
import type { Ingest } from '../../ingest/store-delivery.ts'
import { findQuarantined, listQuarantine, markDiscarded, MAX_QUARANTINE_ID } from '../../ingest/quarantine/quarantine.sql.ts'
import { pageOf, readCursor, rowsFor } from '../paging.ts'
import { Problem } from '../problem.ts'
import { ListOf, Page, problems } from '../schemas/common.ts'
import { Discard, QuarantineDetails, QuarantineQuery, QuarantineRowSchema, RedrivenSchema } from '../schemas/quarantine.ts'
import { notStored } from './webhooks.ts'

const Params = Type.Object({ quarantine_id: Type.String({ pattern: '^[0-9]{1,40}$', description: 'As in the webhook\'s answer and in the list' }) })
const Nothing = Type.Object({}, { additionalProperties: false })

/** Routes to inspect, retry or discard deliveries that could not be processed, for operators. */
export const quarantineRoutes: FastifyPluginAsyncTypebox<Ingest> = async (app, options) => {
  const { db } = options
  acceptJsonOnly(app)

  app.get('/v1/quarantine', {
    schema: {
      operationId: 'listQuarantine',
      summary: 'List deliveries that could not be processed, by id',
      tags: ['quarantine'],
      querystring: Type.Object({ ...QuarantineQuery, ...Page }, { additionalProperties: false }),
      response: { 200: ListOf(QuarantineRowSchema), ...problems(400, 401, 403, 503) }
    }
  }, async ({ query }) => {
    const list = ['listQuarantine', query.state, query.reason] as const
    const after = readCursor(list, query.cursor, ['bigint'])?.[0]
    if (query.reason?.includes('\u0000') === true) return { items: [], next_cursor: null }
    const rows = await listQuarantine(db, { ...query, after: after === undefined ? undefined : BigInt(after), limit: rowsFor(query.limit) })
    const page = pageOf(list, rows, query.limit, row => [String(row.quarantine_id)])
    return { ...page, items: page.items.map(describeListed) }
  })

  app.get('/v1/quarantine/:quarantine_id', {
    schema: {
      operationId: 'getQuarantined',
      summary: 'Get one of them with its bytes; for a conflict, both versions and how they differ',
      tags: ['quarantine'],
      params: Params,
      querystring: Nothing,
      response: { 200: QuarantineDetails, ...problems(400, 401, 403, 404, 503) }
    }
  }, async ({ params }) => {
    const kept = await findQuarantined(db, idOf(params.quarantine_id))
    if (kept === undefined) throw unknownRow(params.quarantine_id)
    return describeKept(kept, options.providers)
  })

  app.post('/v1/quarantine/:quarantine_id/redrive', {
    schema: {
      operationId: 'redriveQuarantined',
      summary: 'Process the stored bytes again with this version of the code',
      description: 'Takes no body. Safe to repeat, also concurrently: an event is stored once. The stored event can change balances. A delivery that still cannot be processed stays open, and the answer says why.',
      tags: ['quarantine'],
      params: Params,
      querystring: Nothing,
      response: { 200: RedrivenSchema, ...problems(400, 401, 403, 404, 409, 415, 503) }
    }
  }, async request => {
    const { params: { quarantine_id: id }, body } = request
    if (body !== undefined) throw new Problem(400, 'request_invalid', 'A redrive takes no body: it processes the stored bytes.')
    const redriven = await redrive(idOf(id), request.caller, options).catch(notStored)
    switch (redriven.status) {
      case 'redriven': return redriven
      case 'not_found': throw unknownRow(id)
      case 'not_open': throw notOpen(id, redriven.state)
      case 'still_unusable':
        throw new Problem(409, 'still_unusable', `Delivery ${id} still cannot be processed (${redriven.reason}): ${redriven.detail}. It stays open.`, { members: { reason: redriven.reason } })
      case 'still_conflicting':
        throw new Problem(409, 'still_conflicting', `Delivery ${id} still contradicts a stored event: ${redriven.detail}. GET /v1/quarantine/${id} shows the difference. If the stored event is right, discard this one.`, { members: { reason: redriven.reason } })
    }
  })

  app.post('/v1/quarantine/:quarantine_id/discard', {
    // The app's validator would coerce a number to a string. A decision is stored exactly as it was sent, or refused.
    validatorCompiler: part => TypeBoxValidatorCompiler(part as unknown as Parameters<typeof TypeBoxValidatorCompiler>[0]),
    schema: {
      operationId: 'discardQuarantined',
      summary: 'Mark a delivery as not wanted, with the reason',
      description: 'The row and its bytes stay stored, with the reason, the time and the API key that decided.',
      tags: ['quarantine'],
      params: Params,
      querystring: Nothing,
      body: Discard,
      response: { 200: QuarantineDetails, ...problems(400, 401, 403, 404, 409, 413, 415, 503) }
    }
  }, async request => {
    const { params: { quarantine_id: id }, body } = request
    const discarded = await markDiscarded(db, idOf(id), body.reason.trim(), request.caller)
    const kept = await findQuarantined(db, idOf(id))
    if (kept === undefined) throw unknownRow(id)
    if (!discarded) throw notOpen(id, kept.state)
    return describeKept(kept, options.providers)
  })
}

/** Accepts JSON bodies only. An empty body with content type JSON counts as no body. */
function acceptJsonOnly (app: Parameters<typeof quarantineRoutes>[0]): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    if (body.length === 0) { done(null, undefined); return }
    try {
      done(null, JSON.parse(String(body)) as unknown)
    } catch (error) {
      done(new Problem(400, 'request_invalid', `The body is not JSON: ${(error as Error).message}`, { cause: error }))
    }
  })
}

function idOf (text: string): bigint {
  const id = BigInt(text)
  if (id > MAX_QUARANTINE_ID) throw unknownRow(text)
  return id
}

function unknownRow (id: string): Problem {
  return new Problem(404, 'quarantine_not_found', `Nothing in quarantine has the id ${id}. GET /v1/quarantine lists the open rows, and with state=redriven or state=discarded the others.`)
}

function notOpen (id: string, state: string): Problem {
  return new Problem(409, 'not_open', `Delivery ${id} is already ${state}; nothing was changed. GET /v1/quarantine/${id} says when and by whom.`, { members: { state } })
}
