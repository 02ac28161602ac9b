import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { listReconciliations, type Reconciliation } from '../../reconcile/reconciliations.sql.ts'
import type { CardDifference } from '../../reconcile/statement.ts'
import { pageOf, readCursor, rowsFor } from '../paging.ts'
import type { ReadOptions } from '../read-query.ts'
import { ListOf, Page, problems } from '../schemas/common.ts'
import { ReconciliationSchema } from '../schemas/reconciliation.ts'

/** The route that lists how the ledger asked its provider, for operators. */
export const reconciliationRoutes: FastifyPluginAsyncTypebox<Pick<ReadOptions, 'db'>> = async (app, { db }) => {
  app.get('/v1/reconciliations', {
    schema: {
      operationId: 'listReconciliations',
      summary: 'List reconciliations with the provider, newest first: what was missing, which cards were healed, which still differ',
      tags: ['status'],
      querystring: Type.Object(Page, { additionalProperties: false }),
      response: { 200: ListOf(ReconciliationSchema), ...problems(400, 401, 403, 503) }
    }
  }, async ({ query }) => {
    const before = readCursor(['reconciliations'], query.cursor, ['bigint'])?.[0]
    const rows = await listReconciliations(db, { before: before === undefined ? undefined : BigInt(before), limit: rowsFor(query.limit) })
    const page = pageOf(['reconciliations'], rows, query.limit, row => [String(row.reconciliation_id)])
    return { ...page, items: page.items.map(presentReconciliation) }
  })
}

/** Points are kept as decimals and answered as integers. */
function presentReconciliation (row: Reconciliation) {
  return {
    ...row,
    reconciliation_id: String(row.reconciliation_id),
    healed: Object.fromEntries(Object.entries(row.healed as Record<string, string>).map(([figure, points]) => [figure, BigInt(points)])),
    differences: (row.differences as CardDifference[]).map(difference => ({
      ...difference,
      balance: integer(difference.balance),
      stated_balance: integer(difference.stated_balance),
      pending: integer(difference.pending),
      stated_pending: integer(difference.stated_pending)
    })),
    remarks: row.remarks as string[]
  }
}

function integer (decimals: string | null): bigint | null {
  return decimals === null ? null : BigInt(decimals)
}
