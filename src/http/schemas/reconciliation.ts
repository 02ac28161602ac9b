import { Type } from '@sinclair/typebox'
import { Int, NullableInt, NullableText, NullableTime, Time } from './common.ts'

const Difference = Type.Object({
  card_id: Type.String(),
  customer_id: NullableText(),
  balance: NullableInt({ description: 'What the ledger says the card held when the provider stated its balance; null: it does not know the card' }),
  stated_balance: NullableInt({ description: 'What the provider states' }),
  pending: NullableInt(),
  stated_pending: NullableInt(),
  reason: Type.String({ description: 'card_unknown, card_parked, balance_differs or pending_differs' }),
  detail: Type.String({ description: 'For people' })
})

/** How the ledger asked the provider, and what came of it. */
export const ReconciliationSchema = Type.Object({
  reconciliation_id: Type.String(),
  provider: Type.String(),
  card: NullableText({ description: 'The only card that was asked about; null: all' }),
  since: NullableTime({ description: 'What changed since this time was read again; null: what the runs before had not read' }),
  state: Type.String({ description: 'running (or killed), stopped (the next run continues it), or finished' }),
  started_at: Time(),
  progressed_at: Time({ description: 'When it stored something last' }),
  ended_at: NullableTime(),
  ended_by: NullableText({ description: 'Why it stopped, as a stable code' }),
  detail: NullableText({ description: 'Why it stopped, for people' }),
  runs: Type.Integer({ description: 'How many runs it took' }),
  calls: Int({ description: 'Calls to the provider\'s API' }),
  pulled: Int({ description: 'Objects that the API returned' }),
  stored: Int({ description: 'How many of them became new events' }),
  duplicates: Int({ description: 'How many were stored before' }),
  quarantined: Int({ description: 'How many cannot be used, or contradict what is stored' }),
  cards_compared: Int({ description: 'Cards of which the provider stated what they hold' }),
  cards_equal: Int({ description: 'Cards that were right before' }),
  cards_healed: Int({ description: 'Cards that what was pulled made right, or explained better' }),
  cards_different: Int({ description: 'Cards that are still not as the provider states' }),
  healed: Type.Record(Type.String(), Int(), { description: 'By how many points the healed cards changed, by kind; signed' }),
  differences: Type.Array(Difference, { description: 'The cards that are still different; the first 100' }),
  remarks: Type.Array(Type.String(), { description: 'What could not be read, for people' })
}, { $id: 'Reconciliation' })
