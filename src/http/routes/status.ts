import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { readStatus } from '../../engine/status.ts'
import { problems } from '../schemas/common.ts'
import { Status } from '../schemas/status.ts'
import type { HealthOptions } from './health.ts'
import type { ReadOptions } from '../read-options.ts'

/** How the ledger is, for operators. */
export const status: FastifyPluginAsyncTypebox<ReadOptions & Pick<HealthOptions, 'worker'>> = async (app, { db, projections, worker }) => {
  app.get('/v1/status', {
    schema: {
      operationId: 'getStatus',
      summary: 'How far the projections are, what stands still, what waits in quarantine, and the heads of the log',
      description: 'Reads small tables and the ends of shards, however long the log is: it may be asked every few seconds.',
      tags: ['status'],
      querystring: Type.Object({}, { additionalProperties: false }),
      response: { 200: Status, ...problems(400, 401, 403, 503) }
    }
  }, async () => await readStatus(db, projections, await worker?.()))
}
