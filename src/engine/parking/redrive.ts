import type { Db, Trx } from '../../postgres/database.ts'
import { readEventsAt } from '../../log/read.sql.ts'
import { addWaiting, holdParked, lockParked, parkedStill, readWaiting, reasonOf, unpark, walkParked, type WaitingEvent } from './parked.sql.ts'
import type { ParkingCode } from '../../postgres/tables.ts'
import { isPoison } from './fold-or-park.ts'
import { knownProviders, type Providers } from '../../providers/index.ts'
import type { Projection } from '../projection.ts'
import { decodeEvent, factsFor, type Placed } from '../decode.ts'
import { currentOf } from '../rebuild/versions.ts'
import { parkingKeyOf } from './parking-keys.ts'

/** The result of a redrive. `outdated`: another version of the projection's rules has folded its rows. */
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
 * Folds the events that wait under a parked key, in order, by the rules of this version of the code: all of them, and
 * the key is released, or none, and it stays parked. Safe to run beside steps and other redrives.
 * @throws the database's error if no event is at fault: try again
 */
export async function redriveParked (db: Db, projections: readonly Projection[], parked: { projection: string, key: string }, providers: Providers = knownProviders): Promise<Unparked> {
  const name = parked.projection
  try {
    return await db.transaction().execute(async trx => {
      // In this transaction, so that a switch to other rules happens before all of it or after.
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
  /** Called with the result of each key. */
  each?: (parked: { projection: string, key: string }, unparked: Unparked) => void
  /** Called if a key could not be tried at all; the others are tried. Without it, the error ends the redrive. */
  failed?: (error: unknown) => void
  /** Called before each key; true ends the redrive. */
  stopped?: () => boolean
  /** Whose events can be read; absent: those of all known providers. */
  providers?: Providers
}

/** Redrives all keys that are parked now, one after the other. */
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
    : factsFor(projection, read.map(({ read }) => read)).filter(fact => parkingKeyOf(fact) === key)
  if (facts.length === 0) return
  try {
    await projection.apply(trx, facts.map(({ observed }) => observed))
  } catch (error) {
    throw isPoison(error) ? new StillParked('fold_failed', error) : error
  }
}

/**
 * The facts of events that wait under no other key. A fact about a key that has been parked since then is left out, and
 * waits under that key from now on.
 */
async function unclaimedFacts (
  trx: Trx, projection: Projection, waiting: readonly WaitingEvent[], read: ReadonlyArray<{ shard: number, read: ReturnType<typeof decodeEvent> }>
): Promise<Placed[]> {
  const unclaimed = read.flatMap(({ shard, read }) => {
    const others = waiting.find(event => event.shard === shard && event.position === read.event.position)?.other_keys ?? []
    return factsFor(projection, [read]).map(fact => ({ fact, key: parkingKeyOf(fact), shard })).filter(({ key }) => !others.includes(key))
  })
  const parked = await holdParked(trx, projection.name, unclaimed.map(({ key }) => key))
  await addWaiting(trx, unclaimed.filter(({ key }) => parked.has(key)).map(({ key, shard, fact: { position } }) => ({ projection: projection.name, key, shard, position })))
  return unclaimed.filter(({ key }) => !parked.has(key)).map(({ fact }) => fact)
}
