import type { ExplainedLine } from '../history/explain.ts'
import { INFORMED } from '../ledger/facts.ts'
import type { Source } from '../projections/cards/sources.sql.ts'
import { parseJson } from './read-options.ts'

const NAMES = new Map<number, string>(Object.entries(INFORMED).map(([name, rank]) => [rank, name]))

/** An explained line as the API shows it. */
export function presentExplained (line: ExplainedLine) {
  return { ...line, told_by: line.told_by.map(presentSource) }
}

function presentSource (source: Source) {
  const { kind, points, reported_balance, occurred_at, order_id, earning_rule_id, details } = source
  return {
    event_id: source.event_id,
    subject: source.subject,
    type: source.type,
    position: `${source.shard}:${source.position}`,
    recorded_at: source.recorded_at,
    source: source.source,
    source_id: source.source_id,
    channel: source.channel,
    send_out_id: source.send_out_id,
    informed: NAMES.get(source.informed) ?? String(source.informed),
    fact_digest: source.fact_digest,
    body_digest: source.body_digest.toString('hex'),
    says: { kind, points, reported_balance, occurred_at, order_id, earning_rule_id, details: parseJson(details) }
  }
}
