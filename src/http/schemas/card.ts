import { Type, type TSchema } from '@sinclair/typebox'
import { AsOfEcho, Int, NullableInt, NullableText, NullableTime, ParkedAt, Time } from './common.ts'

export const SumFields = {
  balance: Int({ description: 'Available points: opening + earned + refunded − spent − expired + adjusted + transferred + unexplained' }),
  opening: Int({ description: 'What the card held when it was created, if an event states that; otherwise before the first known movement: by the first balance that is stated, less what moved until then' }),
  earned: Int(),
  spent: Int(),
  refunded: Int(),
  expired: Int(),
  adjusted: Int({ description: 'Signed: manual additions and removals' }),
  transferred: Int({ description: 'Signed' }),
  unexplained: Int({ description: 'Signed: points that the provider\'s balances show moved although no known movement explains it' }),
  pending: Int({ description: 'Points promised and not yet available; not part of the balance' }),
  pending_unexplained: Int({ description: 'Signed: of pending, what the provider\'s totals show beyond the known lots of points' }),
  balance_stated_at: NullableTime({
    description: 'The newest time at which the provider\'s own figure for the balance is known; null if it never stated one, and the balance is only the sum of the known movements'
  })
}

function Unavailable () {
  return NullableText({ description: 'Why the points of the card cannot be spent: deleted or disabled; null if they can. With at, as of then' })
}

export const CardSchema = Type.Object({
  card_id: Type.String(),
  code: NullableText(),
  campaign_id: NullableText(),
  campaign: NullableText(),
  unavailable: Unavailable(),
  ...SumFields,
  last_movement_at: NullableTime(),
  parked_at: ParkedAt()
}, { $id: 'Card' })

export const CardDetails = Type.Object({
  card_id: Type.String(),
  customer_id: NullableText({ description: 'The holder; null if no event names one, or the last one released the card' }),
  code: NullableText(),
  campaign_id: NullableText(),
  campaign: NullableText(),
  active: Type.Unsafe<boolean | null>({ type: ['boolean', 'null'], description: 'Whether the card can be used at the provider; null if no event says so' }),
  deleted_at: NullableTime({ description: 'When the provider deleted the card; its history stays' }),
  unavailable: Unavailable(),
  ...SumFields,
  movements: Int({ description: 'Number of known movements' }),
  first_movement_at: NullableTime(),
  last_movement_at: NullableTime(),
  parked_at: ParkedAt(),
  ...AsOfEcho
}, { description: 'With at or known_at, points and holder are those of that time; code, campaign, active, deleted_at and parked_at are always as known now' })

export const Expiration = Type.Object({
  bucket_id: Type.String(),
  card_id: Type.String(),
  campaign_id: NullableText(),
  status: Type.String({ description: 'As the provider writes it: ACTIVE or EXPIRED' }),
  points: NullableInt({ description: 'Left in the bucket, or expired with it; null where that was not stated' }),
  expires_on: NullableText({ description: 'A day in the time zone of the provider\'s project' }),
  as_of: Time({ description: 'When it was so: of an export when its file was written' }),
  event_id: Type.String({ description: 'The event that states it' })
}, { $id: 'Expiration' })

/** The answer where a code means several cards. */
export const CardAmbiguous = {
  description: 'Problem: several cards have this code, and all or none of them are deleted (code card_ambiguous); ask by id',
  content: {
    'application/problem+json': {
      schema: Type.Intersect([
        Type.Ref('Problem'),
        Type.Object({
          cards: Type.Array(Type.Object({
            card_id: Type.String(),
            campaign_id: NullableText(),
            campaign: NullableText(),
            deleted_at: NullableTime()
          }), { description: 'The cards with this code; the first 20' })
        })
      ])
    }
  }
} as unknown as TSchema

export const line = {
  movement_id: Type.String(),
  kind: Type.String({ description: 'opening, accrual, redemption, refund, expiration, addition, removal, transfer_in, transfer_out, or unexplained' }),
  points: Int({ description: 'Signed' }),
  balance: Int({ description: 'Running balance after the line' }),
  reported_balance: NullableInt({ description: 'The card\'s balance after the movement, as the provider states it' }),
  observed: Type.Boolean({ description: 'True if that balance is a snapshot of the card, dated at the movement, which itself states none' }),
  occurred_at: Time(),
  dated_at: NullableTime({ description: 'The time that the events state, if the balances around the line put it at another one, within seconds; otherwise null' }),
  recorded_at: Time({ description: 'When the ledger first stored an event that reports it; UTC, with microseconds' }),
  order_id: NullableText(),
  earning_rule_id: NullableText(),
  event_id: NullableText({ description: 'The event with the best source rank that reports it' })
}

export const Line = Type.Object(line, { $id: 'Line' })
export const CustomerLine = Type.Object({ card_id: Type.String(), ...line }, { $id: 'CustomerLine' })
