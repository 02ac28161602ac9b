import type { ExplainedLine } from '../history/explain.ts'
import { SOURCE_RANK } from '../ledger/facts.ts'
import type { Source } from '../projections/cards/sources.sql.ts'
import { parseJson } from './read-options.ts'

const NAMES = new Map<number, string>(Object.entries(SOURCE_RANK).map(([name, rank]) => [rank, name]))

/** An explained line as the API returns it. */
export function presentExplained (line: ExplainedLine) {
  return { ...line, observed_in: line.observed_in.map(presentSource) }
}

function presentSource (source: Source) {
  const { kind, points, reported_balance, occurred_at, order_id, earning_rule_id, details } = source
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
    source_rank: NAMES.get(source.source_rank) ?? String(source.source_rank),
    fact_digest: source.fact_digest,
    body_digest: source.body_digest.toString('hex'),
    says: { kind, points, reported_balance, occurred_at, order_id, earning_rule_id, details: parseJson(details) }
  }
}
