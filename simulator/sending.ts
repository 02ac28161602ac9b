import { setTimeout as pause } from 'node:timers/promises'
import { SIGNATURE_HEADER } from '../src/providers/voucherify/wire/signature.ts'
import { SimulatorFailure, waitBeforeRetry_ms, type Answer, type Client } from './client.ts'
import type { Acknowledgement } from './checks/card.ts'
import type { QuarantinedDelivery } from './checks/quarantine.ts'
import type { Delivery } from './delivery.ts'
import type { Differences } from './differences.ts'

interface SendingOptions {
  secret: string
  concurrency: number
  /** Deliveries a second; undefined: as many as possible. */
  rate?: number
  /** The first wait before a retry; it doubles, unless the server says how long. */
  backoff_ms?: number
  /** Attempts for each delivery. */
  attempts?: number
  onAnswered?: () => void
}

export type Outcome = 'accepted' | 'duplicate' | 'quarantined' | 'refused' | 'given_up'

export interface Sent {
  outcomes: Record<Outcome, number>
  /** For each shard, the highest acknowledged position. */
  positions: Map<number, bigint>
  /** The deliveries whose event is stored. */
  acknowledged: Delivery[]
  /** For each event key, its first acknowledgement. */
  acknowledgements: Map<string, Acknowledgement>
  /** For each quarantine id, what was quarantined. */
  quarantined: Map<string, QuarantinedDelivery>
  retries: number
  seconds: number
}

/**
 * Sends deliveries as the provider does: many at once, and each until it gets a final answer. Deliveries of one key are
 * sent one after the other, so that an event is stored before its contradiction; only repetitions race on purpose.
 * Every unexpected answer is a difference.
 * @throws SimulatorFailure server_unreachable, signature_refused
 */
export async function send (client: Client, deliveries: readonly Delivery[], options: SendingOptions, differences: Differences): Promise<Sent> {
  const sent: Sent = {
    outcomes: { accepted: 0, duplicate: 0, quarantined: 0, refused: 0, given_up: 0 },
    positions: new Map(),
    acknowledged: [],
    acknowledgements: new Map(),
    quarantined: new Map(),
    retries: 0,
    seconds: 0
  }
  const judge = createJudge(differences)
  const underWay = new Map<string, Promise<unknown>>()
  const began = performance.now()
  let next = 0

  async function sendOne (delivery: Delivery): Promise<void> {
    const answer = await tryUntilAnswered(client, delivery, options, () => { sent.retries++ })
    const outcome = outcomeOf(answer)
    sent.outcomes[outcome]++
    if (answer?.status === 401 && delivery.kind !== 'forged') {
      throw new SimulatorFailure('signature_refused', 'The server refuses the signature. Give the secret it has with --secret, or run in the same DATA_DIR or with the same WEBHOOK_SECRETS.')
    }
    judge(delivery, outcome, answer)
    if (outcome === 'accepted' || outcome === 'duplicate') {
      if (delivery.kind === 'event') {
        sent.acknowledged.push(delivery)
        noteAcknowledgement(sent.acknowledgements, delivery, outcome, answer)
      }
      noteHighest(sent.positions, answer)
    }
    if (outcome === 'quarantined') noteQuarantined(sent.quarantined, delivery, answer)
    options.onAnswered?.()
  }

  async function worker (): Promise<void> {
    while (next < deliveries.length) {
      const index = next++
      const delivery = deliveries[index]!
      // The place in the queue is taken before the pause, so that a later delivery cannot overtake after a delay.
      await inTurn(underWay, delivery, async () => {
        if (options.rate !== undefined) await pauseUntil(began + index * 1000 / options.rate)
        await sendOne(delivery)
      })
    }
  }
  await Promise.all(Array.from({ length: options.concurrency }, worker))
  sent.seconds = (performance.now() - began) / 1000
  return sent
}

/** Runs after earlier sends of the same key; a repetition runs beside them. */
async function inTurn (underWay: Map<string, Promise<unknown>>, delivery: Delivery, run: () => Promise<void>): Promise<void> {
  const { key } = delivery
  if (key === undefined) {
    await run()
    return
  }
  const before = underWay.get(key)
  const racing = delivery.kind === 'event' && delivery.traits.includes('duplicate')
  const own = before === undefined || racing ? run() : before.then(run)
  const all = Promise.all([before, own])
  underWay.set(key, all)
  // A failure is reported by `own`; without this, `all` would be an unhandled rejection.
  all.catch(() => {})
  await own
  if (underWay.get(key) === all) underWay.delete(key)
}

async function tryUntilAnswered (client: Client, delivery: Delivery, options: SendingOptions, onRetry: () => void): Promise<Answer | undefined> {
  const { secret, attempts = 10, backoff_ms = 200 } = options
  const { body } = delivery
  const headers = { 'content-type': 'application/json', [SIGNATURE_HEADER]: delivery.signature(secret) }
  for (let attempt = 1; ; attempt++) {
    const answer = await client.post('/webhooks/voucherify', body, headers).catch((error: unknown) => {
      if (attempt >= attempts) throw error
      return undefined
    })
    if (answer !== undefined && answer.status < 500) return answer
    if (attempt >= attempts) return answer
    onRetry()
    await pause(waitBeforeRetry_ms(answer, attempt, backoff_ms))
  }
}

function outcomeOf (answer: Answer | undefined): Outcome {
  if (answer === undefined || answer.status >= 500) return 'given_up'
  const { status } = (answer.json ?? {}) as { status?: unknown }
  if (answer.status === 202 && (status === 'accepted' || status === 'quarantined')) return status
  if (answer.status === 200 && status === 'duplicate') return 'duplicate'
  return 'refused'
}

const ALLOWED: Record<Delivery['kind'], readonly Outcome[]> = {
  event: ['accepted', 'duplicate'],
  unknown: ['accepted', 'duplicate'],
  test: ['accepted', 'duplicate'],
  conflict: ['quarantined'],
  unusable: ['quarantined'],
  forged: ['refused']
}

/** The fields of an answer. */
interface AnswerFields { event_id?: unknown, position?: unknown, quarantine_id?: unknown, reason?: unknown, detail?: unknown }

/** Compares answers with the expected ones: above all, at most one delivery of a key is accepted. */
function createJudge (differences: Differences): (delivery: Delivery, outcome: Outcome, answer: Answer | undefined) => void {
  const accepted = new Set<string>()
  return (delivery, outcome, answer) => {
    const { kind, type, key } = delivery
    const about = `delivery of ${kind} ${type}${key === undefined ? '' : ` (${key})`}`
    const fields = (answer?.json ?? {}) as AnswerFields
    if (!ALLOWED[kind].includes(outcome)) {
      const why = [fields.reason, fields.detail].filter(part => typeof part === 'string').join(': ')
      differences.add({ about, field: 'answer', expected: ALLOWED[kind].join(' or '), got: `${outcome} (${answer?.status ?? 'no answer'}${why === '' ? '' : `, ${why}`})` })
      return
    }
    if (kind === 'forged' && answer?.status !== 401) differences.add({ about, field: 'status', expected: 401, got: answer?.status })
    if (outcome === 'quarantined' && fields.reason !== delivery.reason) differences.add({ about, field: 'reason', expected: delivery.reason, got: fields.reason })
    if (outcome === 'quarantined' || kind === 'forged') return
    if (delivery.event_id !== undefined && fields.event_id !== delivery.event_id) differences.add({ about, field: 'event_id', expected: delivery.event_id, got: fields.event_id })
    if (outcome !== 'accepted' || key === undefined) return
    if (accepted.has(key)) differences.add({ about, field: 'answer', expected: 'duplicate', got: 'accepted a second time' })
    accepted.add(key)
  }
}

function noteAcknowledgement (acknowledgements: Map<string, Acknowledgement>, { key = '' }: Delivery, outcome: Outcome, answer: Answer | undefined): void {
  const before = acknowledgements.get(key)
  const acknowledged_ms = Math.min(before?.acknowledged_ms ?? Infinity, answer?.date_ms ?? Infinity)
  // When repetitions race, the duplicate may be answered first.
  acknowledgements.set(key, { acknowledged_ms, fresh: before?.fresh === true || outcome === 'accepted' })
}

function noteQuarantined (quarantined: Map<string, QuarantinedDelivery>, delivery: Delivery, answer: Answer | undefined): void {
  const { quarantine_id } = (answer?.json ?? {}) as AnswerFields
  const id = typeof quarantine_id === 'string' ? quarantine_id : 'unnamed'
  const before = quarantined.get(id)
  quarantined.set(id, before === undefined ? { delivery, times: 1 } : { ...before, times: before.times + 1 })
}

function noteHighest (positions: Map<number, bigint>, answer: Answer | undefined): void {
  const { position } = (answer?.json ?? {}) as AnswerFields
  const match = typeof position === 'string' ? /^(\d+):(\d+)$/.exec(position) : null
  if (match === null) return
  const [shard, at] = [Number(match[1]), BigInt(match[2] ?? 0)]
  if (at > (positions.get(shard) ?? 0n)) positions.set(shard, at)
}

async function pauseUntil (time_ms: number): Promise<void> {
  const left_ms = time_ms - performance.now()
  if (left_ms > 1) await pause(left_ms)
}
