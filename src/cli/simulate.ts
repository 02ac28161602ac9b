import { randomInt } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import type { Config } from '../config.ts'
import type { ChaosLevel } from '../../simulator/chaos.ts'
import { checkQuarantine } from '../../simulator/checks/quarantine.ts'
import { openClient, SimulatorFailure, type Client } from '../../simulator/client.ts'
import { startProviderApi } from '../../simulator/api/server.ts'
import { checkTruth, sizeOfTruth } from '../../simulator/checks/truth.ts'
import { withoutLost } from '../../simulator/losing.ts'
import { createDifferences, type Difference, type Differences } from '../../simulator/differences.ts'
import { exportOf } from '../../simulator/export.ts'
import { expectationOf, type Expectation } from '../../simulator/oracle/expectation.ts'
import { send, type Sent } from '../../simulator/sending.ts'
import { simulate, type Simulation, type Sources } from '../../simulator/simulate.ts'
import { awaitProjection, sizeOf, verify } from '../../simulator/verifying.ts'
import { CommandError } from '../app/errors.ts'
import { askedProvider } from '../app/provider-api.ts'
import { writeResult, type Output } from '../app/output.ts'
import { healWith } from './reconcile.ts'
import { showProgress } from './support/progress.ts'
import { reconciliationText } from './support/reconcile-report.ts'
import { webhookSecrets } from '../app/webhook-secrets.ts'
import { serverUrl } from './support/server-url.ts'

export interface SimulateOptions {
  url?: string
  key?: string
  secret?: string
  seed?: string
  customers: number
  events: number
  rate?: number
  chaos: ChaosLevel
  sources: string
  concurrency: number
  verify: boolean
  /** Percent of the events that are never delivered. */
  lose: number
  /** Asks the simulated provider's API afterwards, so that `verify` compares with the provider itself. */
  reconcile: boolean
  export?: string
}

/**
 * `simulate`: sends simulated deliveries to a server, including faulty ones. With `verify` it then compares all answers
 * of the server with the expected ones. With `export` it writes all simulated transactions like the provider's export.
 * @throws CommandError with the code of a SimulatorFailure, or simulation_empty, file_unwritable, ledger_differs
 */
export async function simulateCommand (config: Config, output: Output, options: SimulateOptions): Promise<void> {
  const seed = options.seed ?? String(randomInt(1_000_000_000))
  const again = `--seed ${quoted(seed)} --events ${options.events} --customers ${options.customers} --chaos ${options.chaos} --sources ${quoted(options.sources)}${options.lose > 0 ? ` --lose ${options.lose}` : ''}${options.reconcile ? ' --reconcile' : ''}`
  const base = serverUrl(config, options.url)
  const secret = options.secret ?? (await webhookSecrets(config)).secrets[0] ?? ''
  // Printed first, so that the run can be repeated whatever happens.
  if (!output.json) output.progress(`Seed ${seed}. The same seed and options send the same deliveries.`)
  else if (options.seed === undefined) output.progress(JSON.stringify({ seed }))

  const simulation = thatArrive(simulate({ seed, customers: options.customers, events: options.events, chaos: options.chaos, sources: sourcesOf(options.sources) }), options.lose, seed)
  if (simulation.deliveries.length === 0) throw new CommandError('simulation_empty', `--sources ${options.sources} selects no deliveries. Give all, seeds, or event types separated by commas.`)
  if (options.export !== undefined) await writeExport(options.export, simulation)
  const differences = createDifferences()
  const client = openClient(base, { connections: options.concurrency, key: options.key })
  try {
    // If no server answers, fail at once instead of after all the retries.
    const { date_ms: began_ms } = await client.get('/livez')
    const sent = await sendAll(client, simulation, { ...options, secret }, differences, output)
    const expected = expectationOf(sent.acknowledged)
    const remarks = [
      ...(options.verify ? await verifyAll(client, began_ms, sent, expected, differences, output) : []),
      ...(options.reconcile ? await reconcileAll(client, config, simulation, differences, { ...options, output }) : [])
    ]
    const summary = summarise(seed, simulation, sent, expected, differences, { verified: options.verify, remarks })
    writeResult(output, summary, summaryText(summary))
    if (differences.total > 0) throw new CommandError('ledger_differs', `${differences.total} ${differences.total === 1 ? 'thing is' : 'things are'} not as expected. Repeat with ${again}.`)
  } catch (error) {
    if (error instanceof SimulatorFailure) throw new CommandError(error.code, error.message, { cause: error })
    throw error
  } finally {
    client.close()
  }
}

function thatArrive (simulation: Simulation, percent: number, seed: string): Simulation {
  return percent === 0 ? simulation : { ...simulation, deliveries: withoutLost(simulation.deliveries, percent / 100, seed) }
}

/**
 * Asks the simulated provider's API, which fails now and then, into the database of this configuration: it must be the
 * server's. Then compares the ledger with the provider's own world. @returns what was healed
 */
async function reconcileAll (client: Client, config: Config, { world }: Simulation, differences: Differences, { verify: verifies, seed, output }: SimulateOptions & { output: Output }): Promise<string[]> {
  const api = await startProviderApi(world, { chaos: { seed: seed ?? '', broken: 0.02, cut: 0.02, limited: 0.02 } })
  try {
    const done = await healWith({ ...config, RECONCILE_CALLS_PER_MINUTE: SIMULATED_CALLS_PER_MINUTE }, output, { provider: askedProvider(), access: { url: api.url, id: api.app_id, token: api.app_token } }, { since: BEFORE_SIMULATIONS })
    if (verifies) {
      const progress = showProgress('comparing with the provider', sizeOfTruth(world), output.json)
      try {
        await checkTruth(client, world, differences, () => progress.add(1))
      } finally {
        progress.stop()
      }
    }
    return [`Reconciled: ${reconciliationText(done)}`]
  } finally {
    await api.close()
  }
}

/** Each simulation is a provider of its own: cursors of another one would skip what happened earlier in this one. */
const BEFORE_SIMULATIONS = '2023-01-01T00:00:00.000000Z'
/** The simulated API has no limit. */
const SIMULATED_CALLS_PER_MINUTE = 100_000

/** Quotes a text so that a shell reads it as one word. */
function quoted (text: string): string {
  return /^[\w.,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

function sourcesOf (text: string): Sources {
  return text === 'all' || text === 'seeds' ? text : text.split(',').map(type => type.trim()).filter(type => type !== '')
}

async function writeExport (file: string, { world }: Simulation): Promise<void> {
  await writeFile(file, exportOf(world)).catch((cause: unknown) => {
    throw new CommandError('file_unwritable', `The export cannot be written to ${file}: ${(cause as Error).message}.`, { cause })
  })
}

async function sendAll (client: Client, { deliveries }: Simulation, options: SimulateOptions & { secret: string }, differences: Differences, output: Output): Promise<Sent> {
  const progress = showProgress('sending', deliveries.length, output.json)
  try {
    const { secret, concurrency, rate } = options
    return await send(client, deliveries, { secret, concurrency, ...(rate === undefined ? {} : { rate }), onAnswered: () => progress.add(1) }, differences)
  } finally {
    progress.stop()
  }
}

/** Compares the server's answers with the expected ones. @returns what could not be compared, and why */
async function verifyAll (
  client: Client, began_ms: number | undefined, { positions, acknowledgements, quarantined }: Sent, expected: Expectation, differences: Differences, output: Output
): Promise<string[]> {
  await awaitProjection(client, positions)
  const progress = showProgress('verifying', sizeOf(expected), output.json)
  try {
    await verify(client, expected, differences, {
      ...(began_ms === undefined ? {} : { recording: { began_ms, acknowledgements } }),
      onCompared: () => progress.add(1)
    })
    const remark = await checkQuarantine(client, quarantined, differences)
    return remark === undefined ? [] : [remark]
  } finally {
    progress.stop()
  }
}

interface Summary {
  seed: string
  deliveries: number
  accepted: number
  duplicate: number
  quarantined: number
  refused: number
  given_up: number
  retries: number
  events: number
  customers: number
  cards: number
  orders: number
  movements_true: number
  movements_delivered: number
  unexplained: number
  seconds: number
  deliveries_per_second: number
  verified: boolean
  /** What could not be compared, and why. */
  remarks: readonly string[]
  differences: number
  listed: readonly Difference[]
}

function summarise (
  seed: string, { deliveries, world }: Simulation, sent: Sent, expected: Expectation, differences: Differences, verification: Pick<Summary, 'verified' | 'remarks'>
): Summary {
  const cards = [...expected.cards.values()]
  const lines = cards.flatMap(card => card.lines)
  return {
    seed,
    deliveries: deliveries.length,
    ...sent.outcomes,
    retries: sent.retries,
    events: new Set(sent.acknowledged.map(({ key }) => key)).size,
    customers: expected.customers.size,
    cards: cards.length,
    orders: expected.orders.size,
    movements_true: world.cards.reduce((sum, card) => sum + card.movements.length, 0),
    movements_delivered: lines.filter(({ kind }) => kind !== 'unexplained').length,
    unexplained: cards.reduce((sum, card) => sum + card.unexplained, 0),
    seconds: Math.round(sent.seconds * 1000) / 1000,
    deliveries_per_second: Math.round(deliveries.length / sent.seconds),
    ...verification,
    differences: differences.total,
    listed: differences.kept
  }
}

const LISTED = 20

function summaryText (summary: Summary): string {
  const { listed } = summary
  const shown = listed.slice(0, LISTED).map(({ about, field, expected, got }) => `  ${about}\n    ${field}: expected ${text(expected)}, got ${text(got)}`)
  const more = summary.differences - shown.length
  return [
    `${summary.deliveries} deliveries sent in ${summary.seconds.toFixed(1)} s, ${summary.deliveries_per_second} a second.`,
    `  accepted ${summary.accepted}, duplicate ${summary.duplicate}, quarantined ${summary.quarantined}, refused ${summary.refused}, given up ${summary.given_up}; ${summary.retries} retries`,
    `  ${summary.events} events about ${summary.customers} customers, ${summary.cards} cards, ${summary.orders} orders`,
    `  ${summary.movements_true} movements happened, ${summary.movements_delivered} were delivered; ${summary.unexplained} points should be unexplained`,
    ...summary.remarks,
    ...(summary.differences > 0 ? ['Not as expected:', ...shown] : []),
    ...(more > 0 && shown.length > 0 ? [`  and ${more} more`] : []),
    ...(summary.verified && summary.differences === 0 ? ['Verified: every customer, card, statement and order is as it should be.'] : [])
  ].join('\n')
}

function text (value: unknown): string {
  if (value === undefined) return 'nothing'
  return typeof value === 'string' ? value : JSON.stringify(value)
}
