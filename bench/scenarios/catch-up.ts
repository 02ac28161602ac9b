import type pg from 'pg'
import { expectedAnswers } from '../../simulator/oracle/answers.ts'
import { expectationOf } from '../../simulator/oracle/expectation.ts'
import { simulate } from '../../simulator/simulate.ts'
import { withClient } from '../database.ts'
import { eachDelivery, type MakeOptions } from '../load/deliveries.ts'
import { projector as catchUp } from '../projectors/catch-up.ts'
import { projector as emmett } from '../projectors/emmett.ts'
import { ledgerLog } from '../projectors/log.ts'
import { startProjector, type Measured, type Projector, type RunningProjector } from '../projectors/projector.ts'
import { projector as readAndParse } from '../projectors/read-and-parse.ts'
import { projector as rebuild } from '../projectors/rebuild.ts'
import { projector as rowByRow } from '../projectors/row-by-row.ts'
import { nameOf, type Bench, type Figure, type Scenario } from '../scenario.ts'
import { counted, median, ratio } from '../table.ts'

/** Awards that a customer has in a log: so many that cards are met again, in the same batch and in later ones. */
const AWARDS_EACH = 4
/** Those that go event by event get a shorter log: they would take most of the time, and a longer one makes none of them faster. */
const SHORTER = 4

/** A stored log to fold, and what must come out. */
interface Stored {
  /** The database it is copied from. */
  template: string
  events: number
  /** Balances by card. */
  balances: ReadonlyMap<string, bigint>
  /** Movements of all cards; undefined where only an oracle of balances is at hand. */
  movements?: number
}

/** Folding the same stored events, each projector in a process of its own and one after the other. */
export const catchUpScenario: Scenario = {
  name: 'catch-up',
  async run (bench) {
    const projectors = [readAndParse, catchUp, rebuild, rowByRow, emmett]
    const running = new Map(projectors.map(projector => [projector, startProjector(projector)]))
    try {
      return figuresOf(await measure(bench, running))
    } finally {
      for (const { stop } of running.values()) await stop()
    }
  }
}

type Rounds = Map<Projector, Measured[]>

async function measure (bench: Bench, running: ReadonlyMap<Projector, RunningProjector>): Promise<{ awards: Rounds, simulated: Rounds }> {
  const count = bench.size === 'full' ? 60_000 : 8000
  const options = awardOptions(count, 'c')
  const shorter = awardOptions(count / SHORTER, 'd')
  const awards = await stored(bench, 'awards', options, async url => await ledgerLog.store(url, eachDelivery(options, new Map())))
  const few = await stored(bench, 'few_awards', shorter, async url => await ledgerLog.store(url, eachDelivery(shorter, new Map())))
  const streams = await stored(bench, 'awards_emmett', shorter, async url => await of(running, emmett).store(url, shorter))
  const traffic = bench.size === 'full' ? await simulated(bench, 20_000) : undefined

  const results = { awards: new Map() as Rounds, simulated: new Map() as Rounds }
  for (let round = 0; round < bench.rounds; round++) {
    // A rebuild goes beside live rows, so it comes after them, in the same copy of the log.
    await fold(bench, running, awards, [readAndParse, catchUp, rebuild], results.awards)
    await fold(bench, running, few, [rowByRow], results.awards)
    await fold(bench, running, streams, [emmett], results.awards)
    if (traffic !== undefined) await fold(bench, running, traffic, [readAndParse, catchUp, rebuild], results.simulated)
    bench.log(`round ${round + 1}: ${[...results.awards].map(([{ name }, folds]) => `${name} ${counted(folds.at(-1)?.rate ?? 0)}`).join(', ')} events/s`)
  }
  for (const log of [awards, few, streams, traffic]) if (log !== undefined) await bench.cluster.drop(log.template)
  return results
}

function awardOptions (count: number, tag: string): MakeOptions {
  return { count, customers: count / AWARDS_EACH, tag }
}

/** A template with awards in it. */
async function stored (bench: Bench, name: string, options: MakeOptions, store: (url: string) => Promise<number>): Promise<Stored> {
  const totals = new Map<string, bigint>()
  const owners = new Map<string, string>()
  for (const { card_id, customer_id } of eachDelivery(options, totals)) owners.set(card_id, customer_id)
  const balances = new Map([...owners].map(([card_id, customer_id]) => [card_id, totals.get(customer_id) ?? 0n]))
  return { template: await prepare(bench, name, options.count, store), events: options.count, balances, movements: options.count }
}

/** A template with traffic of all kinds that a provider sends: cards, spending, refunds, pending points, and what comes late. */
async function simulated (bench: Bench, count: number): Promise<Stored> {
  const deliveries = expectedAnswers(simulate({ seed: 'bench', customers: count / 20, events: count, chaos: 'low' }).deliveries).stored
  const balances = new Map([...expectationOf(deliveries).cards].map(([card_id, { balance }]) => [card_id, BigInt(balance)]))
  const template = await prepare(bench, 'simulated', deliveries.length, async url => await ledgerLog.store(url, deliveries))
  return { template, events: deliveries.length, balances }
}

async function prepare (bench: Bench, name: string, count: number, store: (url: string) => Promise<number>): Promise<string> {
  const url = await bench.cluster.create(name)
  const events = await store(url)
  if (events !== count) throw new Error(`${events} events are stored of ${count}`)
  // As a log lies that was not written a moment ago.
  await withClient(url, async client => { await client.query('vacuum (freeze, analyze)') })
  return name
}

/** Lets projectors fold a copy of a log, one after the other, and looks what they made of it. */
async function fold (bench: Bench, running: ReadonlyMap<Projector, RunningProjector>, log: Stored, projectors: readonly Projector[], results: Rounds): Promise<void> {
  const url = await bench.cluster.create('round', log.template)
  for (const projector of projectors) {
    await bench.cluster.settle()
    if (projector === rebuild) await withClient(url, makeIdle)
    const measured = await of(running, projector).fold(url)
    if (measured.events !== log.events) throw new Error(`${projector.name} folded ${measured.events} events of ${log.events}`)
    await withClient(url, async client => { await assertCards(client, projector, log) })
    results.set(projector, [...results.get(projector) ?? [], measured])
  }
  await bench.cluster.drop(nameOf(url))
}

/** A rebuild gives way to live projections that moved within the last seconds; the ones here are done. */
async function makeIdle (client: pg.Client): Promise<void> {
  await client.query("update projection.checkpoints set updated_at = updated_at - interval '1 hour'")
}

/** @throws Error unless every card has its balance, and no other card is there */
async function assertCards (client: pg.Client, { name, cards }: Projector, log: Stored): Promise<void> {
  if (cards === undefined) return
  const { rows } = await client.query<{ card_id: string, balance: string, movements: number }>(
    `select card_id, balance::text, movements::integer from (${cards}) cards`)
  const wrong = rows.find(({ card_id, balance }) => BigInt(balance) !== log.balances.get(card_id))
  if (wrong !== undefined) throw new Error(`${name} gives card ${wrong.card_id} ${wrong.balance} points instead of ${log.balances.get(wrong.card_id)}`)
  if (rows.length !== log.balances.size) throw new Error(`${name} made ${rows.length} cards of ${log.balances.size}`)
  const movements = rows.reduce((sum, { movements }) => sum + movements, 0)
  if (log.movements !== undefined && movements !== log.movements) throw new Error(`${name} counted ${movements} movements of ${log.movements}`)
}

function figuresOf ({ awards, simulated }: { awards: Rounds, simulated: Rounds }): Figure[] {
  const rates = (projector: Projector, rounds = awards): number[] => (rounds.get(projector) ?? []).map(({ rate }) => rate)
  const shown = (projector: Projector): string => counted(median(rates(projector)))
  const cpu = (projector: Projector): string => (1e6 * median((awards.get(projector) ?? []).map(({ cpu_seconds, events }) => cpu_seconds / events))).toFixed(0)
  const behind = (projector: Projector): string =>
    `${shown(projector)} ÷ ${shown(readAndParse)} events/s, of which ${cpu(projector)} and ${cpu(readAndParse)} µs an event in Node` +
    (simulated.size === 0 ? '' : `; of simulated traffic ${ratio(rates(projector, simulated), rates(readAndParse, simulated)).toFixed(2)}`)
  return [
    { figure: 'catch-up, one worker ÷ read and parse', goal: { atLeast: 0.6 }, value: ratio(rates(catchUp), rates(readAndParse)), detail: behind(catchUp) },
    { figure: 'rebuild ÷ read and parse', goal: { atLeast: 0.6 }, value: ratio(rates(rebuild), rates(readAndParse)), detail: behind(rebuild) },
    {
      figure: 'catch-up ÷ emmett consumer',
      goal: { atLeast: 5 },
      value: ratio(rates(catchUp), rates(emmett)),
      detail: `${shown(catchUp)} ÷ ${shown(emmett)} events/s; row by row ${shown(rowByRow)}: both keep less`
    }
  ]
}

function of (running: ReadonlyMap<Projector, RunningProjector>, projector: Projector): RunningProjector {
  return running.get(projector) as RunningProjector
}
