import { readdirSync, readFileSync } from 'node:fs'
import { voucherify } from '../../../src/providers/voucherify/provider.ts'
import { testContract } from '../contract.ts'
import { AWARD, PAID, texts } from './payloads.ts'

interface Sample { shows: string, body?: unknown, body_text?: string, reads: { reason?: string } }

const folder = new URL('test/providers/voucherify/samples/', import.meta.resolve('#root/package.json'))
const samples = readdirSync(folder).map(file => JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Sample)
  .filter(({ reads }) => reads.reason === undefined)

testContract(voucherify, {
  deliveries: [
    [AWARD, texts.award],
    [PAID, texts.order],
    // As the provider writes JSON; bytes that matter have tests of their own.
    ...samples.map(({ shows, body, body_text }): [string, string] => [shows, body_text ?? JSON.stringify(body)])
  ],
  personal: { body: texts.award, customer_id: 'cust_IdgAFZxYwwHctOk9pPuMu308', texts: ['Jack Webhook', 'EMEA'] }
})
