import { Type } from '@sinclair/typebox'
import { AnyJson, NullableInt, NullableText, NullableTime, ParkedAt, Time } from './common.ts'

const state = {
  customer_id: NullableText({ description: 'Whose order it is, or was in that state' }),
  status: Type.String({ description: 'CREATED, PAID, FULFILLED or CANCELED' }),
  amount: NullableInt({ description: 'Before discounts; minor units. An order carries no currency: never sum across currencies.' }),
  initial_amount: NullableInt(),
  discount_amount: NullableInt({ description: 'null when there was none' }),
  items_discount_amount: NullableInt(),
  total_discount_amount: NullableInt(),
  total_amount: NullableInt({ description: 'After discounts; minor units' }),
  items: AnyJson(),
  metadata: AnyJson(),
  created_at: NullableTime(),
  updated_at: Time()
}

const order = { order_id: Type.String(), source_id: NullableText(), ...state }

export const OrderSchema = Type.Object({ ...order, parked_at: ParkedAt() }, { $id: 'Order' })

export const OrderWithStates = Type.Object({
  ...order,
  parked_at: ParkedAt(),
  states: Type.Array(Type.Object({
    ...state,
    recorded_at: Time({ description: 'When the ledger first stored an event that reports this state' }),
    event_id: Type.String({ description: 'The first event that reported it' }),
    subject: Type.String()
  }), { description: 'Every observed state, oldest first' })
})
