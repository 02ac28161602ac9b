import { readAllCheckpoints } from '../checkpoints.sql.ts'
import { changedCards, changedCustomers, changedOrders, compareTables, type ChangedCard, type ChangedCustomer, type ChangedOrder, type Changes } from './compare.sql.ts'
import type { Trx } from '../../postgres/database.ts'
import { withRetries } from '../../postgres/retry.ts'
import { lookAt } from './projection-schema.sql.ts'
import { countParked } from '../parking/parked.sql.ts'
import { awaitSwitch } from '../snapshot.sql.ts'
import { livePositions } from './versions.ts'
import type { Projection } from '../projection.ts'
import type { Workplace } from './rebuild.ts'
import { stepUpTo } from '../step.ts'

/** What a switch would change, as of one state of the log. What is not being rebuilt is absent. */
export interface RebuildDiff {
  customers?: Changes<ChangedCustomer>
  orders?: Changes<ChangedOrder>
  /** Cards whose balance, pending points or holder would change. `points`: the change of all balances together. */
  cards?: Changes<ChangedCard> & { points: bigint }
  /** Tables whose rows would change. `rows_for`: about how many cards, orders or customers. */
  tables: Array<{ table: string, rows_for: bigint }>
  /** Keys that the rebuild has parked because they cannot be folded; a switch would park them. */
  parked: number
  /** Events that only one of the two has folded: they alone can explain differences. */
  apart: bigint
}

/** How often to begin: another process can move what is compared. */
const TRIES = 5

/**
 * Folds the rebuilt projections up to the live ones, and compares both in one snapshot.
 * @param options.limit how many items of each kind to name; all are counted
 */
export async function diffRebuild ({ build }: Workplace, projections: readonly Projection[], options: { batch: number, limit: number }): Promise<RebuildDiff> {
  const diff = async (): Promise<RebuildDiff> => await build.transaction().setIsolationLevel('repeatable read').execute(async trx => await diffWithin(trx, projections, options))
  return await withRetries(diff, { tries: TRIES })
}

async function diffWithin (trx: Trx, projections: readonly Projection[], { batch, limit }: { batch: number, limit: number }): Promise<RebuildDiff> {
  const names = new Set(projections.map(({ name }) => name))
  await awaitSwitch(trx)
  await lookAt(trx, 'projection_build')
  const upTo = await livePositions(trx, projections)
  await stepUpTo(trx, projections, { batch, upTo })
  const diff: RebuildDiff = { tables: [], parked: await countParked(trx), apart: await eventsApart(trx, names) }
  if (names.has('customers')) diff.customers = await changedCustomers(trx, limit)
  if (names.has('orders')) diff.orders = await changedOrders(trx, limit)
  if (names.has('cards')) diff.cards = await changedCards(trx, limit)
  for (const table of projections.flatMap(({ tables }) => tables)) {
    const { total } = await compareTables(trx, table, 'projection', 'projection_build', 1)
    if (total > 0n) diff.tables.push({ table: table.name, rows_for: total })
  }
  return diff
}

async function eventsApart (trx: Trx, names: ReadonlySet<string>): Promise<bigint> {
  const place = ({ projection, shard }: { projection: string, shard: number }): string => `${projection} ${shard}`
  const built = new Map((await readAllCheckpoints(trx, 'projection_build')).map(checkpoint => [place(checkpoint), checkpoint.position]))
  const apart = (await readAllCheckpoints(trx, 'projection')).filter(({ projection }) => names.has(projection)).map(checkpoint => {
    const difference = (built.get(place(checkpoint)) ?? 0n) - checkpoint.position
    return { shard: checkpoint.shard, events: difference < 0n ? -difference : difference }
  })
  const byShard = new Map<number, bigint>()
  for (const { shard, events } of apart) if (events > (byShard.get(shard) ?? 0n)) byShard.set(shard, events)
  return [...byShard.values()].reduce((sum, events) => sum + events, 0n)
}
