import { constants, setPriority } from 'node:os'
import type { Config } from '../config.ts'
import { tablesOf } from '../engine/rebuild/versions.ts'
import { projections } from '../projections/index.ts'
import type { Projection } from '../engine/projection.ts'
import { abandonRebuild, beginRebuild, buildUp, switchRebuilt, underRebuild, type Begun, type Workplace } from '../engine/rebuild/rebuild.ts'
import { diffRebuild, type RebuildDiff } from '../engine/rebuild/diff.ts'
import { readLag } from '../engine/checkpoints.sql.ts'
import { CommandError } from '../app/errors.ts'
import { withLedger } from '../app/open.ts'
import { writeResult, table, type Output } from '../app/output.ts'
import { showProgress } from './support/progress.ts'

export type RebuildAction = 'start' | 'diff' | 'switch' | 'abandon'

/** How many changed items of each kind a diff lists by default. */
const NAMED_CHANGES = 50

/** The batch of a step: the same as that of a worker while no events arrive. */
export const BATCH_EVENTS = 2000
/** Half a second each, 30 s together: as long as a person waits for a prompt. */
const SWITCH_TRIES = 60

/**
 * `rebuild ACTION [projection]`: folds the log again beside the live projections, shows what would change, or replaces
 * the live ones.
 * @param limit how many changed items of each kind a diff lists
 */
export async function rebuildCommand (config: Config, output: Output, name: string | undefined, action: RebuildAction, limit = NAMED_CHANGES): Promise<void> {
  const chosen = choose(name)
  // On a small machine the rebuild shares the cores with the service, which goes first.
  setPriority(constants.priority.PRIORITY_BELOW_NORMAL)
  await withLedger(config, async (live, { connect }) => {
    const workplace = { live, build: connect({ projectionSchema: 'projection_build' }) }
    if (action === 'abandon') {
      await abandon(workplace, output)
      return
    }
    // Without a name: continue the rebuild that is under way, otherwise rebuild all.
    const underWay = name === undefined ? await underRebuild(workplace, projections) : []
    const rebuilt = underWay.length > 0 ? underWay : chosen
    const begun = await beginRebuild(workplace, rebuilt)
    const events = await build(workplace, rebuilt, output)
    if (action === 'diff') sayDiff(output, await diffRebuild(workplace, rebuilt, { batch: BATCH_EVENTS, limit }), limit)
    else if (action === 'switch') await switchOver(workplace, rebuilt, output)
    else sayNext(output, rebuilt.map(({ name }) => name), begun, events)
  })
}

function sayNext (output: Output, names: readonly string[], begun: Begun, events: number): void {
  writeResult(output, { rebuilt: names, begun, events }, `${sentence(names)} ${names.length === 1 ? 'is' : 'are'} rebuilt beside the live ones: ${events} events folded${begun === 'resumed' ? ' since the rebuild was interrupted' : ''}.\n\n` +
    '  loyalty-ledger rebuild diff      show what would change\n  loyalty-ledger rebuild switch    replace the live ones with them\n  loyalty-ledger rebuild abandon   drop them\n\n' +
    'Until the switch, diff and switch also fold the events that were stored since.')
}

function choose (name: string | undefined): readonly Projection[] {
  if (name === undefined) return projections
  const found = projections.filter(projection => projection.name === name)
  if (found.length === 0) throw new CommandError('projection_unknown', `There is no projection ${name}: choose one of ${projections.map(projection => projection.name).join(', ')}, or name none for all.`)
  return found
}

async function build (workplace: Workplace, rebuilt: readonly Projection[], output: Output): Promise<number> {
  const { events: before } = await readLag(workplace.build, rebuilt)
  const progress = showProgress(`rebuilding ${rebuilt.map(({ name }) => name).join(', ')}`, Number(before), output.json, { unit: 'events' })
  let events = 0
  try {
    await buildUp(workplace, rebuilt, {
      batch: BATCH_EVENTS,
      onStep (stepped) {
        events += stepped.events
        progress.add(stepped.events)
      }
    })
  } finally {
    progress.stop()
  }
  return events
}

async function switchOver (workplace: Workplace, rebuilt: readonly Projection[], output: Output): Promise<void> {
  const started = performance.now()
  await switchRebuilt(workplace, rebuilt, { batch: BATCH_EVENTS, tries: SWITCH_TRIES })
  const switch_ms = Math.round(performance.now() - started)
  const names = rebuilt.map(({ name }) => name)
  writeResult(output, { switched: names, tables: tablesOf(rebuilt), switch_ms }, `${sentence(names)} ${names.length === 1 ? 'is' : 'are'} live as rebuilt; the switch took ${switch_ms} ms. The old rows are dropped.`)
}

async function abandon (workplace: Workplace, output: Output): Promise<void> {
  const abandoned = await abandonRebuild(workplace)
  writeResult(output, { abandoned }, abandoned ? 'The rebuild is dropped. The live projections are as they were.' : 'No rebuild is under way.')
}

function sayDiff (output: Output, diff: RebuildDiff, limit: number): void {
  const { customers, orders, cards, tables, parked, apart } = diff
  const parts: string[] = []
  if (cards !== undefined) {
    parts.push(`${cards.total} card(s) would change, all balances together by ${signed(cards.points)} points.`)
    if (cards.total > 0n) {
      parts.push(table(['customer', 'card', 'balance now', 'then', 'change'], cards.items.map(card => [
        card.customer_id ?? '-', card.card_id, shown(card.balance_before), shown(card.balance_after), signed((card.balance_after ?? 0n) - (card.balance_before ?? 0n))
      ])) + more(cards.total, limit))
    }
  }
  if (orders !== undefined) {
    parts.push(`${orders.total} order(s) would change.`)
    if (orders.total > 0n) {
      parts.push(table(['customer', 'order', 'status now', 'then', 'total now', 'then'], orders.items.map(order => [
        order.customer_id ?? '-', order.order_id, order.status_before ?? '-', order.status_after ?? '-', shown(order.total_amount_before), shown(order.total_amount_after)
      ])) + more(orders.total, limit))
    }
  }
  if (customers !== undefined) {
    parts.push(`${customers.total} customer(s) would change.`)
    if (customers.total > 0n) parts.push(table(['customer', 'columns'], customers.items.map(customer => [customer.customer_id, customer.columns.join(', ')])) + more(customers.total, limit))
  }
  const rest = tables.filter(({ table }) => !['cards', 'orders', 'customers'].includes(table))
  if (rest.length > 0) parts.push(`Also in ${rest.map(({ table, rows_for }) => `${table} (of ${rows_for})`).join(', ')}: statement lines, states or observations.`)
  if (tables.length === 0) parts.push('No row would change.')
  if (parked > 0) parts.push(`${parked} key(s) would be parked: events about them cannot be folded with these rules.`)
  if (apart > 0n) parts.push(`The live projections and the rebuilt ones are ${apart} events apart. Is a worker running? The differences can come from that alone.`)
  writeResult(output, { ...diff, apart: Number(apart) }, parts.join('\n\n'))
}

function more (total: bigint, limit: number): string {
  return total > BigInt(limit) ? `\n… and ${total - BigInt(limit)} more (--limit)` : ''
}

function shown (value: bigint | null): string {
  return value === null ? '-' : String(value)
}

function signed (value: bigint): string {
  return value > 0n ? `+${value}` : String(value)
}

function sentence (names: readonly string[]): string {
  const text = names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
  return text.charAt(0).toUpperCase() + text.slice(1)
}
