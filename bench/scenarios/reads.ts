import { start, type Running } from '../contenders/contender.ts'
import { ledger } from '../contenders/ledger.ts'
import { select } from '../contenders/select.ts'
import { createAwards } from '../load/awards.ts'
import { assertBalances, bodiesOf, fill, project, withDb } from '../load/big.ts'
import type { Load } from '../load/client.ts'
import { ask, timeEach } from '../load/queries.ts'
import { createStatement, type Moment, type Statement } from '../load/statements.ts'
import { nameOf, type Bench, type Figure, type Scenario } from '../scenario.ts'
import { counted, median, ratio } from '../table.ts'

const CUSTOMERS = 2000
const AWARDS = 6000
const CONNECTIONS = 64
/** Where in a card's history a question about the past goes. */
const SHARES = { early: 0.01, middle: 0.5, late: 0.99 }

/** What people ask: a balance now; a page of a statement, and a balance at a past date, however long the history is. */
export const reads: Scenario = {
  name: 'reads',
  async run (bench) {
    const pair = [createStatement('long', bench.size === 'full' ? 100_000 : 10_000), createStatement('short', 100)] as const
    const awards = createAwards({ customers: CUSTOMERS, tag: 'r' })
    const url = await bench.databaseFor(ledger)
    await fill(url, bodiesOf(awards.take(AWARDS)))
    for (const statement of pair) await fill(url, statement.bodies())
    await project(url)
    await assertBalances(url, new Map([...awards.balances(), ...pair.map(({ customer_id, balance }): [string, bigint] => [customer_id, BigInt(balance)])]))
    // As a ledger is that has rested: autovacuum would come in its own time.
    await bench.cluster.vacuum(url)
    const [ours, theirs] = await Promise.all([start(ledger, url), start(select, url)])
    try {
      return [await compareBalances(bench, ours, theirs, await holdings(url, awards.balances())), ...await compareCards(bench, ours, pair)]
    } finally {
      await Promise.all([ours.stop(), theirs.stop()])
      await bench.cluster.drop(nameOf(url))
    }
  }
}

async function compareBalances (bench: Bench, ours: Running, theirs: Running, held: readonly Held[]): Promise<Figure> {
  const count = bench.size === 'full' ? 20_000 : 2000
  const asked = Array.from({ length: count }, (_, index) => held[index * 7 % held.length] as Held)
  const sides = [
    { running: ours, pathOf: ({ customer_id }: Held) => `/v1/customers/${customer_id}/balance`, loads: [] as Load[] },
    { running: theirs, pathOf: ({ card_id }: Held) => `/v1/cards/${card_id}/balance`, loads: [] as Load[] }
  ]
  for (const { running, pathOf } of sides) await askAll(running, asked, pathOf)
  for (let round = 0; round < bench.rounds; round++) {
    for (const { running, pathOf, loads } of round % 2 === 0 ? sides : sides.toReversed()) loads.push(await askAll(running, asked, pathOf))
  }
  const [our, their] = sides.map(({ loads }) => loads.map(({ rate }) => rate)) as [number[], number[]]
  return {
    figure: 'balance read ÷ Fastify answering one primary-key select',
    goal: { atLeast: 0.7 },
    value: ratio(our, their),
    detail: `${counted(median(our))} ÷ ${counted(median(their))} a second, ${CONNECTIONS} connections, ${counted(held.length)} customers`
  }
}

interface Held { customer_id: string, card_id: string, balance: bigint }

/** Which card each customer holds, and what is on it by our own addition. */
async function holdings (url: string, expected: ReadonlyMap<string, bigint>): Promise<Held[]> {
  const rows = await withDb(url, async db => await db.selectFrom('cards').select(['customer_id', 'card_id']).orderBy('card_id').execute())
  return rows.flatMap(({ customer_id, card_id }) => {
    const balance = expected.get(customer_id ?? '')
    return customer_id === null || balance === undefined ? [] : [{ customer_id, card_id, balance }]
  })
}

/** @throws Error unless every answer is the right balance */
async function askAll ({ origin }: Running, asked: readonly Held[], pathOf: (held: Held) => string): Promise<Load> {
  return await ask(asked.map(pathOf), { origin, connections: CONNECTIONS }, (index, body) => {
    const { customer_id, balance } = asked[index] as Held
    return body.includes(`"balance":${balance},`) && body.includes(`"${customer_id}"`)
  })
}

type Pair = readonly [Statement, Statement]
interface Question { path: string, right: (body: string) => boolean }

async function compareCards (bench: Bench, running: Running, pair: Pair): Promise<Figure[]> {
  const { movements } = pair[0]
  const times = bench.size === 'full' ? 40 : 10
  const lines = await compare(bench, running, times * 10, pair.map(newestLines) as [Question, Question])
  const past: Array<{ clock: 'at' | 'known_at', when: string, value: number, behind: string }> = []
  for (const [when, share] of Object.entries(SHARES)) {
    for (const clock of ['at', 'known_at'] as const) {
      past.push({ clock, when, ...await compare(bench, running, clock === 'at' ? times : 3, pair.map(statement => balanceThen(statement, clock, statement.momentAt(share))) as [Question, Question]) })
    }
  }
  const asked = past.filter(({ clock }) => clock === 'at')
  const worst = asked.reduce((a, b) => a.value > b.value ? a : b)
  const shown = (clock: string): string => past.filter(answer => answer.clock === clock).map(({ when, value, behind }) => `${when} ${value.toFixed(2)}: ${behind}`).join(', ')
  return [
    { figure: `newest 50 statement lines of a card with ${counted(movements)} movements ÷ with 100`, goal: { atMost: 1.5 }, value: lines.value, detail: lines.behind },
    { figure: `balance at a past date, card with ${counted(movements)} movements ÷ with 100`, goal: { atMost: 2 }, value: worst.value, detail: `worst date: ${worst.when}; at: ${shown('at')}; known_at: ${shown('known_at')}` }
  ]
}

/** Asks in turn, on one connection. @returns the ratio of the median times, by rounds, and the times behind it */
async function compare (bench: Bench, { origin }: Running, times: number, questions: readonly [Question, Question]): Promise<{ value: number, behind: string }> {
  const [long, short]: [number[], number[]] = [[], []]
  // The first round is for warming up.
  for (let round = 0; round <= bench.rounds; round++) {
    const asked = Array.from({ length: 2 * times }, (_, index) => questions[(index + round) % 2] as Question)
    const took_ms = await timeEach(origin, asked.map(({ path }) => path), (index, body) => asked[index]?.right(body) === true)
    if (round === 0) continue
    long.push(median(took_ms.filter((_, index) => asked[index] === questions[0])))
    short.push(median(took_ms.filter((_, index) => asked[index] === questions[1])))
  }
  return { value: ratio(long, short), behind: `${median(long).toFixed(2)} ÷ ${median(short).toFixed(2)} ms` }
}

const LINES = 50

function newestLines ({ card_id, balance }: Statement): Question {
  return {
    path: `/v1/cards/${card_id}/statement?limit=${LINES}`,
    right (body) {
      const { items } = JSON.parse(body) as { items: Array<{ balance: number, points: number }> }
      return items.length === LINES && items[0]?.balance === balance &&
        items.every((line, index) => index === 0 || items[index - 1]?.balance === line.balance + (items[index - 1]?.points ?? 0))
    }
  }
}

function balanceThen ({ card_id }: Statement, clock: 'at' | 'known_at', moment: Moment): Question {
  return {
    path: `/v1/cards/${card_id}?${clock}=${moment[clock]}`,
    right: body => (JSON.parse(body) as { balance: number }).balance === moment.balance
  }
}
