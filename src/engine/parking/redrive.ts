import type { Db, Trx } from '../../postgres/database.ts'
import { readEventsAt } from '../../log/read.sql.ts'
import { addWaiting, holdParked, lockParked, parkedStill, readWaiting, unpark, walkParked, type WaitingEvent } from './parked.sql.ts'
import type { ParkingCode } from '../../postgres/tables.ts'
import { isPoison } from './bisect.ts'
import { knownProviders } from '../../providers/index.ts'
import type { Providers } from '../../providers/registry.ts'
import type { Projection } from '../projection.ts'
import { decodeEvent } from '../decode.ts'
import { currentOf } from '../rebuild/versions.ts'
import { factsFor, keyOfPlaced, reasonOf, type Placed } from './hold-back.ts'

/** What became of a parked key. `unbuilt`: its rows are of another version of the projection's rules than this code's. */
export type Unparked =
  | { status: 'redriven', events: number }
  | { status: 'still_parked', code: ParkingCode, reason: string }
  | { status: 'not_parked' | 'outdated' }

/** Events read at once. */
const CHUNK_EVENTS = 500

class StillParked extends Error {
  readonly code: ParkingCode

  constructor (code: ParkingCode, cause: unknown) {
    super(reasonOf(cause), { cause })
    this.code = code
  }
}

/**
 * Folds what a parked key waits with, in order, by the rules of this version of the code: all of it, and the key goes on, or
 * nothing, and it stays parked. Beside steps and other redrives.
 * @throws what the database threw where the failure is no fault of an event: try again
 */
export async function redriveParked (db: Db, projections: readonly Projection[], parked: { projection: string, key: string }, providers: Providers = knownProviders): Promise<Unparked> {
  const name = parked.projection
  try {
    return await db.transaction().execute(async trx => {
      // In this transaction: a switch to other rules comes before all of it or after.
      const projection = (await currentOf(trx, projections)).find(projection => projection.name === name)
      if (projection === undefined) return { status: 'outdated' }
      if (await lockParked(trx, projection.name, parked.key) === undefined) return { status: 'not_parked' }
      const waiting = await readWaiting(trx, projection.name, parked.key)
      for (let start = 0; start < waiting.length; start += CHUNK_EVENTS) {
        await foldWaiting(trx, projection, parked.key, waiting.slice(start, start + CHUNK_EVENTS), providers)
      }
      await unpark(trx, projection.name, parked.key)
      return { status: 'redriven', events: waiting.length }
    })
  } catch (error) {
    if (!(error instanceof StillParked)) throw error
    const why = { code: error.code, reason: error.message }
    await db.transaction().execute(async trx => { await parkedStill(trx, name, parked.key, why) })
    return { status: 'still_parked', ...why }
  }
}

export interface RedriveOptions {
  /** Told of each key's fate. */
  each?: (parked: { projection: string, key: string }, unparked: Unparked) => void
  /** Told of what kept a key from being tried at all; the others are. Where nobody listens, it ends the redrive. */
  failed?: (error: unknown) => void
  /** Asked before each key: is it enough? */
  stopped?: () => boolean
  /** Whose events can be read; absent: those of all providers that there are. */
  providers?: Providers
}

/** Redrives whatever is parked now, one key after the other. */
export async function redriveAllParked (db: Db, projections: readonly Projection[], options: RedriveOptions = {}): Promise<void> {
  for await (const { projection, key } of walkParked(db)) {
    if (options.stopped?.() === true) return
    try {
      const unparked = await redriveParked(db, projections, { projection, key }, options.providers)
      options.each?.({ projection, key }, unparked)
    } catch (error) {
      if (options.failed === undefined) throw error
      options.failed(error)
    }
  }
}

async function foldWaiting (trx: Trx, projection: Projection, key: string, waiting: readonly WaitingEvent[], providers: Providers): Promise<void> {
  const read = (await readEventsAt(trx, waiting)).map(({ shard, ...event }) => ({ shard, read: decodeEvent(event, providers) }))
  const unreadable = read.find(({ read }) => read.unreadable !== undefined)
  if (unreadable !== undefined) throw new StillParked('event_unreadable', unreadable.read.unreadable?.error)
  const facts = key.startsWith('event:')
    ? await unclaimedFacts(trx, projection, waiting, read)
    : factsFor(projection, read.map(({ read }) => read)).filter(fact => keyOfPlaced(fact) === key)
  if (facts.length === 0) return
  try {
    await projection.apply(trx, facts.map(({ observed }) => observed))
  } catch (error) {
    throw isPoison(error) ? new StillParked('fold_failed', error) : error
  }
}

/** What an event tells beside what waits of it under keys of their own. Of that, what is about a parked key waits with it. */
async function unclaimedFacts (
  trx: Trx, projection: Projection, waiting: readonly WaitingEvent[], read: ReadonlyArray<{ shard: number, read: ReturnType<typeof decodeEvent> }>
): Promise<Placed[]> {
  const unclaimed = read.flatMap(({ shard, read }) => {
    const others = waiting.find(event => event.shard === shard && event.position === read.event.position)?.other_keys ?? []
    return factsFor(projection, [read]).map(fact => ({ fact, key: keyOfPlaced(fact), shard })).filter(({ key }) => !others.includes(key))
  })
  const parked = await holdParked(trx, projection.name, unclaimed.map(({ key }) => key))
  await addWaiting(trx, unclaimed.filter(({ key }) => parked.has(key)).map(({ key, shard, fact: { position } }) => ({ projection: projection.name, key, shard, position })))
  return unclaimed.filter(({ key }) => !parked.has(key)).map(({ fact }) => fact)
}
