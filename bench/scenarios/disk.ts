import pg from 'pg'
import { simulate } from '../../simulator/simulate.ts'
import { identify } from '../../src/providers/voucherify/identify.ts'
import { ledger } from '../contenders/ledger.ts'
import { bodiesOf, fill } from '../load/big.ts'
import { makeDeliveries } from '../load/deliveries.ts'
import { nameOf, type Bench, type Scenario } from '../scenario.ts'
import { counted } from '../table.ts'

/** What the log takes on disk, with its indexes, beside what came in. */
export const disk: Scenario = {
  name: 'disk',
  async run (bench) {
    const count = bench.size === 'full' ? 100_000 : 4000
    const awards = await sizeOf(bench, makeDeliveries({ count, customers: count / 10, tag: 'd' }).deliveries.map(({ body }) => body))
    const mixed = await sizeOf(bench, simulated(count))
    return [{
      figure: 'bytes on disk per event, log with its indexes ÷ raw body bytes',
      goal: { atMost: 0.9 },
      value: awards.ratio,
      detail: `${counted(count)} awards: ${shown(awards)}; ${counted(mixed.events)} events of every kind, as simulated: ${shown(mixed)}`
    }]
  }
}

interface Size { events: number, raw: number, table: number, indexes: number, ratio: number }

function shown ({ events, raw, table, indexes, ratio }: Size): string {
  const each = (bytes: number): string => counted(bytes / events)
  return `${ratio.toFixed(2)}, of bodies of ${each(raw)} bytes rows of ${each(table)} and index entries of ${each(indexes)}`
}

async function sizeOf (bench: Bench, bodies: readonly Buffer[]): Promise<Size> {
  const url = await bench.databaseFor(ledger)
  try {
    const { events, bytes: raw } = await fill(url, bodiesOf(bodies))
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    const { rows: [size] } = await client.query<{ table: string, indexes: string, total: string, body_bytes: string }>(`
      select pg_table_size('ledger.events') as "table", pg_indexes_size('ledger.events') as indexes,
             pg_total_relation_size('ledger.events') as total, (select sum(body_bytes) from ledger.events) as body_bytes`)
    await client.end()
    if (Number(size?.body_bytes) !== raw) throw new Error(`the log says that it was sent ${size?.body_bytes} bytes, and it was sent ${raw}`)
    return { events, raw, table: Number(size?.table), indexes: Number(size?.indexes), ratio: Number(size?.total) / raw }
  } finally {
    await bench.cluster.drop(nameOf(url))
  }
}

/** The first sends of events that the simulator makes, as they would be stored. */
function simulated (count: number): Buffer[] {
  const seen = new Set<string>()
  const { deliveries } = simulate({ seed: 'bench', customers: count / 10, events: count, chaos: 'none' })
  return deliveries.map(({ body }) => body).filter(body => {
    const identified = identify(body)
    if ('reason' in identified) return false
    const key = `${identified.event_id} ${identified.subject}`
    return !seen.has(key) && seen.add(key)
  })
}
