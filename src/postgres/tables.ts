import type { Generated } from 'kysely'
import type { StatementLine } from '../ledger/card.ts'
import type { StoredLine, Totals } from '../ledger/totals.ts'
import type { ExpirationObservation, OrderObservation, PendingObservation, TierObservation } from '../ledger/facts.ts'
import type { HolderObservation, Holding } from '../ledger/holders.ts'
import type { Instant } from '../ledger/instant.ts'
import type { FieldTimes } from '../ledger/latest.ts'

/**
 * Table types, as the migrations make them; a test compares them with the migrated database. Tables without a schema
 * belong to the projection schema of the connection (`DatabaseOptions.projectionSchema`). Columns of type json are
 * text, verbatim; jsonb is parsed.
 */
export interface Tables {
  'ledger.repeatable_files': RepeatableFileRow
  'ledger.shards': ShardRow
  'ledger.events': EventRow
  'ledger.quarantine': QuarantineRow
  'ledger.api_keys': ApiKeyRow
  'ledger.reconciliations': ReconciliationRow
  'ledger.reconcile_cursors': ReconcileCursorRow
  'ledger.reconcile_cards': ReconcileCardRow
  customers: CustomerRow
  cards: CardRow
  card_snapshots: CardSnapshotRow
  movement_observations: MovementObservationRow
  pending_observations: PendingObservationRow
  holdings: HoldingRow
  holder_observations: HolderObservationRow
  tier_changes: TierChangeRow
  expirations: ExpirationRow
  statement_lines: StatementLineRow & Pick<StoredLine, 'running_totals'>
  orders: OrderRow
  order_states: OrderStateRow
  unread_types: UnreadTypeRow
  checkpoints: CheckpointRow
  parked: ParkedRow
  waiting: WaitingRow
}

export interface RepeatableFileRow {
  name: string
  digest: Buffer
  applied_at: Generated<Instant>
}

export interface ShardRow {
  shard: number
  head: bigint
  chain: Buffer
}

export interface EventRow {
  event_id: string
  subject: string
  /** Who sent it: chooses the rules by which the body is read. */
  provider: string
  shard: number
  position: bigint
  type: string
  customer_id: string | null
  occurred_at: Instant | null
  recorded_at: Instant
  test: boolean
  send_out_id: string | null
  sender_kind: string | null
  sender_id: string | null
  group_id: string | null
  project_id: string | null
  channel: string | null
  /** JSON text, verbatim. */
  body: string
  body_bytes: number
  body_digest: Buffer
  fact_digest: Buffer
  chain: Buffer
  /** The newest erasure event that redacted the body; null: it is as received. */
  erased_by: string | null
}

export interface QuarantineRow {
  quarantine_id: Generated<bigint>
  provider: string
  body: Buffer
  body_digest: Generated<Buffer>
  headers: unknown
  reason: string
  detail: string
  event_id: string | null
  subject: string | null
  first_seen_at: Generated<Instant>
  last_seen_at: Generated<Instant>
  times_seen: Generated<bigint>
  state: Generated<'open' | 'redriven' | 'discarded'>
  decided_at: Instant | null
  decided_by: string | null
  discard_reason: string | null
  /** The newest erasure event that redacted the row. */
  erased_by: string | null
}

export interface CheckpointRow {
  projection: string
  version: number
  shard: number
  position: Generated<bigint>
  updated_at: Generated<Instant>
}

/** Why a key is parked. */
export type ParkingCode = 'event_unreadable' | 'fold_failed'

export interface ParkedRow {
  projection: string
  key: string
  shard: number
  position: bigint
  event_id: string
  subject: string
  code: ParkingCode
  reason: string
  parked_at: Generated<Instant>
  tries: Generated<number>
  last_tried_at: Generated<Instant>
}

export interface WaitingRow {
  projection: string
  key: string
  shard: number
  position: bigint
}

export interface ApiKeyRow {
  key_id: string
  name: string
  scope: 'read' | 'operate'
  token_digest: Buffer
  created_at: Generated<Instant>
  revoked_at: Instant | null
}

export interface ReconciliationRow {
  reconciliation_id: Generated<bigint>
  provider: string
  card: string | null
  since: Instant | null
  state: Generated<'running' | 'stopped' | 'finished'>
  started_at: Generated<Instant>
  progressed_at: Generated<Instant>
  ended_at: Instant | null
  ended_by: string | null
  detail: string | null
  runs: Generated<number>
  calls: Generated<bigint>
  pulled: Generated<bigint>
  stored: Generated<bigint>
  duplicates: Generated<bigint>
  quarantined: Generated<bigint>
  cards_compared: Generated<bigint>
  cards_equal: Generated<bigint>
  cards_healed: Generated<bigint>
  cards_different: Generated<bigint>
  healed: Generated<unknown>
  differences: Generated<unknown>
  remarks: Generated<unknown>
}

export interface ReconcileCursorRow {
  provider: string
  list: string
  cursor: string
  updated_at: Generated<Instant>
}

export interface ReconcileCardRow {
  reconciliation_id: bigint
  card_id: string
  before: Record<string, string> | null
  balance: bigint | null
  balance_at: Instant | null
  pending: bigint | null
  pending_at: Instant | null
}

export interface CustomerRow {
  customer_id: string
  source_id: string | null
  name: string | null
  email: string | null
  /** JSON text. */
  metadata: string | null
  deleted_at: Instant | null
  field_times: FieldTimes
  first_seen_at: Instant | null
  last_seen_at: Instant | null
}

export interface CardRow extends Totals {
  card_id: string
  code: string | null
  campaign_id: string | null
  campaign: string | null
  customer_id: string | null
  active: boolean | null
  deleted_at: Instant | null
  field_times: FieldTimes
  holders: Holding[]
  pending: bigint
  pending_unexplained: bigint
  balance_stated_at: Instant | null
}

export interface CardSnapshotRow {
  card_id: string
  figure: 'balance' | 'pending'
  occurred_at: Instant
  points: bigint
  recorded_at: Instant
  event_id: string
  subject: string
}

export interface MovementObservationRow {
  movement_id: string
  card_id: string
  event_id: string
  subject: string
  source_rank: number
  kind: string
  points: bigint | null
  reported_balance: bigint | null
  observed_balance: bigint | null
  occurred_at: Instant
  recorded_at: Instant
  order_id: string | null
  earning_rule_id: string | null
  holder_id: string | null
  /** JSON text. */
  details: string | null
  fact_digest: Buffer
}

export type PendingObservationRow = Omit<PendingObservation, 'fact'> & { event_id: string, subject: string, recorded_at: Instant }

export interface HoldingRow {
  customer_id: string
  card_id: string
}

export interface HolderObservationRow extends HolderObservation {
  card_id: string
  recorded_at: Instant
  event_id: string
  subject: string
}

export type TierChangeRow = Omit<TierObservation, 'fact'> & { event_id: string, subject: string, recorded_at: Instant }

/** The newest observation of a bucket. `as_of`: when it was so. */
export interface ExpirationRow extends Omit<ExpirationObservation, 'fact' | 'occurred_at'> {
  as_of: Instant
  event_id: string
  subject: string
}

/** How many events are stored of a type that nobody reads. */
export interface UnreadTypeRow {
  type: string
  events: bigint
}

export interface StatementLineRow extends StatementLine {
  card_id: string
}

type OrderFields = Omit<OrderObservation, 'fact' | 'state_digest'> & {
  status_rank: number
  state_digest: Buffer
}

export interface OrderRow extends OrderFields {
  placed_at: Instant
}

export interface OrderStateRow extends OrderFields {
  recorded_at: Instant
  event_id: string
  subject: string
}
