import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import { openClient, type Client } from '../../simulator/client.ts'
import type { Delivery } from '../../simulator/delivery.ts'
import type { Differences } from '../../simulator/differences.ts'
import { send, type Sent } from '../../simulator/sending.ts'
import { simulate } from '../../simulator/simulate.ts'
import type { Acknowledgement } from '../../simulator/checks/card.ts'
import type { QuarantinedDelivery } from '../../simulator/checks/quarantine.ts'

/** A 2xx: what the server said it had stored. */
export type Acknowledged =
  | { status: 'accepted' | 'duplicate', event_id: string, subject: string, position: string }
  | { status: 'quarantined', quarantine_id: string, body_digest: string }

/** What the provider sent and was told. */
export interface Load {
  /** Every 2xx, of whatever try. */
  acknowledged: Acknowledged[]
  /** Deliveries whose event is stored, in the order in which that was acknowledged. */
  stored: Delivery[]
  positions: Map<number, bigint>
  acknowledgements: Map<string, Acknowledgement>
  quarantined: Map<string, QuarantinedDelivery>
  outcomes: Sent['outcomes']
  deliveries: number
  retries: number
  /** Of one try, until its answer or its failure. */
  slowest_ms: number
}

/** Tries in vain until a provider would have given up for good; here a sign that nothing comes back. */
const PATIENCE_MS = 120_000
const ROUND = 100

export interface Loading {
  load: Load
  /** Finishes what is under way. */
  stop: () => Promise<Load>
}

/**
 * Sends histories, one after the other, at a steady rate; each delivery is tried until it gets a final answer. What the
 * test has not stopped when it ends is abandoned.
 */
export function startLoad (t: Test, url: string, seed: string, rate: number, differences: Differences): Loading {
  const load: Load = {
    acknowledged: [],
    stored: [],
    positions: new Map(),
    acknowledgements: new Map(),
    quarantined: new Map(),
    outcomes: { accepted: 0, duplicate: 0, quarantined: 0, refused: 0, given_up: 0 },
    deliveries: 0,
    retries: 0,
    slowest_ms: 0
  }
  const client = openClient(url, { connections: 16, key: undefined })
  const abandoning = new AbortController()
  const persistent = { ...client, post: tryingOn(client, load, abandoning.signal) }
  let stopping = false

  async function run (): Promise<void> {
    for (let round = 0; !stopping; round++) {
      const { deliveries } = simulate({ seed: `${seed}/${round}`, customers: 8, events: ROUND, chaos: 'high' })
      add(load, deliveries.length, await send(persistent, deliveries, { secret: 'secret', concurrency: 16, rate, attempts: 1 }, differences))
    }
  }
  const running = run().finally(() => { client.close() })
  running.catch(() => { /* whoever stops it learns of it */ })
  t.teardown(async () => {
    stopping = true
    abandoning.abort()
    await running.catch(() => {})
  })
  return {
    load,
    async stop () {
      stopping = true
      await running
      return load
    }
  }
}

function tryingOn (client: Client, load: Load, abandoned: AbortSignal): Client['post'] {
  return async (path, body, headers) => {
    const deadline = performance.now() + PATIENCE_MS
    for (;;) {
      abandoned.throwIfAborted()
      const began = performance.now()
      const answer = await client.post(path, body, headers).catch((error: unknown) => {
        if (performance.now() > deadline) throw error
        return undefined
      })
      load.slowest_ms = Math.max(load.slowest_ms, performance.now() - began)
      if (answer !== undefined && (answer.status < 500 || performance.now() > deadline)) {
        if (answer.status < 300) load.acknowledged.push(acknowledgement(answer.json, body))
        return answer
      }
      load.retries++
      await pause(50 + Math.random() * 200)
    }
  }
}

function acknowledgement (said: unknown, body: Buffer): Acknowledged {
  const answer = said as Acknowledged
  return answer.status === 'quarantined' ? { ...answer, body_digest: createHash('sha256').update(body).digest('hex') } : answer
}

function add (load: Load, deliveries: number, sent: Sent): void {
  load.deliveries += deliveries
  load.stored.push(...sent.acknowledged)
  for (const [shard, position] of sent.positions) {
    if (position > (load.positions.get(shard) ?? 0n)) load.positions.set(shard, position)
  }
  for (const [key, acknowledgement] of sent.acknowledgements) load.acknowledgements.set(key, acknowledgement)
  for (const [id, one] of sent.quarantined) load.quarantined.set(id, one)
  for (const outcome of Object.keys(sent.outcomes) as Array<keyof Sent['outcomes']>) load.outcomes[outcome] += sent.outcomes[outcome]
}
