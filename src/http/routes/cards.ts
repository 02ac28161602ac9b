import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { cardsAt } from '../../history/cards-at.ts'
import { explainLines, type ExplainedLine } from '../../history/explain.ts'
import { linesAt } from '../../history/statement.ts'
import type { AsOf } from '../../ledger/as-of.ts'
import { withAvailability } from '../../ledger/availability.ts'
import { SOURCE_RANK } from '../../ledger/facts.ts'
import { findCards, listCardLines, type LineMark, type ShownCard } from '../../projections/cards/reads.sql.ts'
import { listExpirations, NO_DAY } from '../../projections/expirations/reads.sql.ts'
import type { Source } from '../../projections/cards/sources.sql.ts'
import type { Db, Trx } from '../../postgres/database.ts'
import { inSnapshot } from '../../engine/snapshot.sql.ts'
import type { StatementLineRow } from '../../postgres/tables.ts'
import { asOfMarks, pageOf, readCursor, readCursorAt, rowsFor, type ListName } from '../paging.ts'
import { notFound, Problem } from '../problem.ts'
import { CardAmbiguous, CardDetails, Expiration, Line } from '../schemas/card.ts'
import { AsOfQuery, FreshnessQuery, ListOf, Page, problems } from '../schemas/common.ts'
import { ExplainedLineSchema } from '../schemas/explain.ts'
import { parseJson, sendNumbersAsKept } from '../json-numbers.ts'
import { askable, awaitPosition, looksBack, readAsOf, type ReadOptions } from '../read-query.ts'

const Params = Type.Object({
  card: Type.String({ description: 'The card\'s id, v_…, or its code. An id comes before a code; of several cards with one code the one that is not deleted' })
})

/** Routes about cards: sums, statements and explanations. */
export const cardRoutes: FastifyPluginAsyncTypebox<ReadOptions> = async (app, options) => {
  app.get('/v1/cards/:card', {
    schema: {
      operationId: 'getCard',
      summary: 'A card with its sums, now or as of a time',
      tags: ['cards'],
      params: Params,
      querystring: Type.Object({ ...AsOfQuery, ...FreshnessQuery }, { additionalProperties: false }),
      response: { 200: CardDetails, ...problems(400, 401, 403, 404, 503, 504), 409: CardAmbiguous }
    }
  }, async ({ params, query }) => {
    const key = askable('card', params.card)
    const asOf = readAsOf(query)
    await awaitPosition(options, query)
    if (!looksBack(asOf)) return { ...withAvailability(await requireCard(options.db, key), null), ...asOf }
    const [card] = await inSnapshot(options.db, async trx => await cardsAt(trx, [await requireCard(trx, key)], asOf))
    return { ...withAvailability(card as ShownCard, asOf.at), ...asOf }
  })

  app.get('/v1/cards/:card/statement', {
    schema: {
      operationId: 'listCardStatement',
      summary: 'A card\'s statement, newest first',
      tags: ['cards'],
      params: Params,
      querystring: Type.Object({ ...AsOfQuery, ...Page, ...FreshnessQuery }, { additionalProperties: false }),
      response: { 200: ListOf(Line), ...problems(400, 401, 403, 404, 503, 504), 409: CardAmbiguous }
    }
  }, async ({ params, query }) => {
    const key = askable('card', params.card)
    const asOf = readAsOf(query)
    const list = ['listCardStatement', key] as const
    const before = readMark(list, query.cursor, asOf)
    await awaitPosition(options, query)
    const rows = await inSnapshot(options.db, async trx => {
      const { card_id } = await requireCard(trx, key)
      return await listLines(trx, card_id, asOf, { before, limit: rowsFor(query.limit) })
    })
    return pageOf(list, rows, query.limit, markOf(asOf))
  })

  app.get('/v1/cards/:card/expirations', {
    schema: {
      operationId: 'listCardExpirations',
      summary: 'Which of a card\'s points expire when, by bucket; as new as the newest export of them',
      tags: ['cards'],
      params: Params,
      querystring: Type.Object({ ...Page, ...FreshnessQuery }, { additionalProperties: false }),
      response: { 200: ListOf(Expiration), ...problems(400, 401, 403, 404, 503, 504), 409: CardAmbiguous }
    }
  }, async ({ params, query }) => {
    const key = askable('card', params.card)
    const list = ['listCardExpirations', key] as const
    const [expires_on, bucket_id] = readCursor(list, query.cursor, ['day', 'text']) ?? []
    const after = expires_on === undefined || bucket_id === undefined ? undefined : { expires_on, bucket_id }
    await awaitPosition(options, query)
    const rows = await inSnapshot(options.db, async trx => {
      const { card_id } = await requireCard(trx, key)
      return await listExpirations(trx, card_id, { after, limit: rowsFor(query.limit) })
    })
    return pageOf(list, rows, query.limit, row => [row.expires_on ?? NO_DAY, row.bucket_id])
  })

  app.get('/v1/cards/:card/explain', {
    onSend: sendNumbersAsKept,
    schema: {
      operationId: 'explainCard',
      summary: 'A card\'s statement, newest first; with every event about each line, and which event each field is from',
      tags: ['cards'],
      params: Params,
      querystring: Type.Object({ ...AsOfQuery, ...Page, ...FreshnessQuery }, { additionalProperties: false }),
      response: { 200: ListOf(ExplainedLineSchema), ...problems(400, 401, 403, 404, 503, 504), 409: CardAmbiguous }
    }
  }, async ({ params, query }) => {
    const key = askable('card', params.card)
    const asOf = readAsOf(query)
    const list = ['explainCard', key] as const
    const before = readMark(list, query.cursor, asOf)
    await awaitPosition(options, query)
    return await inSnapshot(options.db, async trx => {
      const { card_id } = await requireCard(trx, key)
      const rows = await listLines(trx, card_id, asOf, { before, limit: rowsFor(query.limit) })
      const page = pageOf(list, rows, query.limit, markOf(asOf))
      const explained = await explainLines(trx, card_id, page.items, rows[page.items.length], asOf, options.providers)
      return { ...page, items: explained.map(presentExplained) }
    })
  })
}

/** How many cards of one code an answer names. */
const NAMED_CARDS = 20

/** @throws Problem 404 card_not_found, 409 card_ambiguous */
async function requireCard (db: Db, key: string): Promise<ShownCard> {
  const found = await findCards(db, key, NAMED_CARDS)
  const [card, ...others] = found
  if (card === undefined) throw notFound('card', key)
  if (others.length > 0) throw ambiguous(key, found)
  return card
}

function ambiguous (code: string, found: readonly ShownCard[]): Problem {
  const cards = found.map(({ card_id, campaign_id, campaign, deleted_at }) => ({ card_id, campaign_id, campaign, deleted_at }))
  const named = cards.map(({ card_id, campaign_id, campaign }) => `${card_id} (campaign ${campaign ?? campaign_id ?? 'unknown'})`)
  const detail = `Several cards have the code ${JSON.stringify(code)}: ${named.join(', ')}. Ask for one of them by its id.`
  return new Problem(409, 'card_ambiguous', detail, { members: { cards } })
}

type CardMark = Omit<LineMark, 'card_id'>

function readMark (list: ListName, cursor: string | undefined, asOf: AsOf): CardMark | undefined {
  const [occurred_at, ordinal, movement_id] = readCursorAt(list, cursor, ['instant', 'integer', 'text'], asOf) ?? []
  return occurred_at === undefined || movement_id === undefined ? undefined : { occurred_at, ordinal: Number(ordinal), movement_id }
}

function markOf (asOf: AsOf) {
  return (row: StatementLineRow) => [row.occurred_at, row.ordinal, row.movement_id, ...asOfMarks(asOf)]
}

/** A page of a card's statement, newest first. */
async function listLines (trx: Trx, card_id: string, asOf: AsOf, page: { before: CardMark | undefined, limit: number }): Promise<StatementLineRow[]> {
  if (!looksBack(asOf)) return await listCardLines(trx, card_id, page)
  const before = page.before === undefined ? undefined : { ...page.before, card_id }
  return await linesAt(trx, [card_id], asOf, { before, limit: page.limit })
}

/** The names of source ranks. */
const RANK_NAMES = new Map<number, string>(Object.entries(SOURCE_RANK).map(([name, rank]) => [rank, name]))

/** An explained line as the API returns it. */
function presentExplained (line: ExplainedLine) {
  return { ...line, observed_in: line.observed_in.map(presentSource) }
}

function presentSource (source: Source) {
  const { kind, points, reported_balance, observed_balance, occurred_at, order_id, earning_rule_id, details } = source
  return {
    event_id: source.event_id,
    subject: source.subject,
    type: source.type,
    position: `${source.shard}:${source.position}`,
    recorded_at: source.recorded_at,
    sender_kind: source.sender_kind,
    sender_id: source.sender_id,
    channel: source.channel,
    send_out_id: source.send_out_id,
    source_rank: RANK_NAMES.get(source.source_rank) ?? String(source.source_rank),
    fact_digest: source.fact_digest,
    body_digest: source.body_digest.toString('hex'),
    says: { kind, points, reported_balance, observed_balance, occurred_at, order_id, earning_rule_id, details: parseJson(details) }
  }
}
