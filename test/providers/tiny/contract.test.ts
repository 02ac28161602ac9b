import { testContract } from '../contract.ts'
import { tiny, tinyMovement } from './provider.ts'

testContract(tiny, {
  deliveries: [
    ['points earned', JSON.stringify(tinyMovement())],
    ['points spent', JSON.stringify(tinyMovement({ id: 'm_2', type: 'spent', points: 4, balance: 6 }))],
    ['a customer without an address', JSON.stringify(tinyMovement({ id: 'm_3', customer: { id: 'cust_2' } }))]
  ],
  personal: { body: JSON.stringify(tinyMovement({ note: 'ask ada@tiny.example' })), customer_id: 'cust_1', texts: ['ada@tiny.example'] }
})
