import Fastify from 'fastify'
import pg from 'pg'

const INT8 = 20
const NUMERIC = 1700

// As many connections as the ledger holds.
const pool = new pg.Pool({
  connectionString: process.env.DATABASE_URL,
  max: 10,
  types: {
    getTypeParser (oid: number, format?: 'text' | 'binary') {
      if (oid === INT8 || oid === NUMERIC) return Number
      return pg.types.getTypeParser(oid, format) as (text: string) => unknown
    }
  }
})

const NUMBERS = ['balance', 'opening', 'earned', 'spent', 'refunded', 'expired', 'adjusted', 'transferred', 'unexplained', 'pending', 'movements']
const TEXTS = ['card_id', 'customer_id', 'code', 'campaign_id', 'campaign']
const text = { type: ['string', 'null'] }

const answer = {
  type: 'object',
  properties: {
    ...Object.fromEntries(TEXTS.map(name => [name, text])),
    active: { type: ['boolean', 'null'] },
    ...Object.fromEntries(NUMBERS.map(name => [name, { type: 'integer' }])),
    last_movement_at: { type: ['string', 'null'], format: 'date-time' }
  }
}

const app = Fastify({ logger: false, keepAliveTimeout: 72_000 })
app.get<{ Params: { card_id: string } }>('/v1/cards/:card_id/balance', { schema: { response: { 200: answer } } }, async ({ params }, reply) => {
  const { rows: [card] } = await pool.query<object>({
    name: 'balance',
    text: `select ${[...TEXTS, 'active', ...NUMBERS, 'last_movement_at'].join(', ')} from projection.cards where card_id = $1`,
    values: [params.card_id]
  })
  return card ?? await reply.code(404).send()
})
console.log(`ready on ${await app.listen({ host: '127.0.0.1', port: 0 })}`)
process.once('SIGTERM', () => { process.exit(0) })
