import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { readStatus } from '../../engine/status.ts'
import { problems } from '../schemas/common.ts'
import { Status } from '../schemas/status.ts'
import type { HealthOptions } from './health.ts'
import type { ReadOptions } from '../read-query.ts'
import type { Refused } from '../refusals.ts'

export interface StatusOptions extends ReadOptions, Pick<HealthOptions, 'worker'> {
  /** The deliveries that this process refused. */
  refused: () => Refused[]
}

/** The route that reads the state of the ledger, for operators. */
export const statusRoutes: FastifyPluginAsyncTypebox<StatusOptions> = async (app, { db, projections, worker, refused }) => {
  app.get('/v1/status', {
    schema: {
      operationId: 'getStatus',
      summary: 'Get the lag of the projections, parked keys, open quarantine rows, and the heads of the log',
      description: 'Its cost does not grow with the log, so it can be polled every few seconds.',
      tags: ['status'],
      querystring: Type.Object({}, { additionalProperties: false }),
      response: { 200: Status, ...problems(400, 401, 403, 503) }
    }
  }, async () => ({ ...await readStatus(db, projections, await worker?.()), refused: refused() }))
}
