import type { Config } from '../config.ts'
import { projections } from '../projections/index.ts'
import { redriveAllParked, redriveParked, type Unparked } from '../engine/parking/redrive.ts'
import { walkParked } from '../engine/parking/parked.sql.ts'
import { CommandError } from '../app/errors.ts'
import { withLedger } from '../app/open.ts'
import { writeResult, writeList, table, type Output } from '../app/output.ts'

type Fate = { projection: string, key: string } & Unparked

/** `parked list`: cards, orders and customers whose events wait because one could not be folded, and why. */
export async function parkedListCommand (config: Config, output: Output): Promise<void> {
  await withLedger(config, async db => {
    await writeList(output, walkParked(db), {
      item: ({ shard, position, waiting, ...item }) => ({ ...item, position: `${shard}:${position}`, waiting: Number(waiting) }),
      head: ['key', 'projection', 'position', 'waiting', 'tries', 'parked_at', 'reason'],
      cells: item => [item.key, item.projection, `${item.shard}:${item.position}`, String(item.waiting), String(item.tries), item.parked_at, item.reason],
      empty: 'Nothing is parked: every card and order is folded up to the checkpoints.'
    })
  }, { role: config.DATABASE_ROLE })
}

/** `parked redrive [keys…]`: folds what waits, in order, by the rules of this version of the code. */
export async function parkedRedriveCommand (config: Config, output: Output, keys: readonly string[], { all }: { all: boolean }): Promise<void> {
  if (all === (keys.length > 0)) throw new CommandError('parked_choice', 'Name keys as `loyalty-ledger parked list` shows them, or say --all.')
  const fates: Fate[] = []
  await withLedger(config, async db => {
    if (all) await redriveAllParked(db, projections, { each: (parked, fate) => { fates.push({ ...parked, ...fate }) } })
    for (const key of keys) fates.push(...await redriveKey(key))

    async function redriveKey (key: string): Promise<Fate[]> {
      const found = (await Promise.all(projections.map(async ({ name }) => ({ projection: name, key, ...await redriveParked(db, projections, { projection: name, key }) }))))
        .filter(({ status }) => status !== 'not_parked' && status !== 'outdated')
      return found.length > 0 ? found : [{ projection: '-', key, status: 'not_parked' }]
    }
  }, { role: config.DATABASE_ROLE })
  const rows = fates.map(fate => [fate.key, fate.projection, fate.status, fate.status === 'redriven' ? `${fate.events} events` : fate.status === 'still_parked' ? fate.reason : ''])
  writeResult(output, { items: fates }, fates.length === 0 ? 'Nothing is parked.' : table(['key', 'projection', 'status', ''], rows))
  if (fates.some(({ status }) => status !== 'redriven')) process.exitCode = 1
}
