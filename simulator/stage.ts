import { DAY, MILLISECOND, MINUTE, SECOND, type Micros } from './clock.ts'
import type { ProviderEvent, Stamp } from './event.ts'
import type { Kind } from './facts.ts'
import type { Card, Campaign, Customer, Movement, Rule, Spend, World } from './model.ts'
import type { Random } from './random.ts'

/**
 * What a scene can see and change. One scene is one API request at the provider: everything in it happens within
 * seconds, and the next scene begins at least a minute later. So the times that several events state for one movement
 * are always closer together than two movements, except where a scene makes movements simultaneous on purpose.
 */
export interface Stage {
  readonly world: World
  readonly random: Random
  /** Whole milliseconds. */
  readonly now: Micros
  readonly spends: Spend[]
  /** Makes an id in the provider's form. */
  mint: (prefix: string) => string
  /** Id and time of one more event of this scene, `after` microseconds after its beginning. */
  stamp: (after?: Micros) => Stamp
  emit: (...events: ProviderEvent[]) => void
}

/** Plays one request. Returns false, and changes nothing, if what it needs does not exist. */
export type Scene = (stage: Stage) => boolean

interface Theatre { stage: Stage, next: () => ProviderEvent[] }

const BEGINNING: Micros = Date.UTC(2024, 0, 8, 6) * MILLISECOND
const ID_LENGTH: Record<string, number> = { v: 32, cust: 24, camp: 24, ern: 24, ord: 24 }

/** 15 hexadecimal digits: the millisecond, then a counter. */
function ascending (now: Micros, count: number): string {
  return Math.floor(now / MILLISECOND).toString(16).padStart(11, '0') + (count % 0x10000).toString(16).padStart(4, '0')
}

/** @param play plays one scene; it must always find one that can be played */
export function openTheatre (random: Random, play: (stage: Stage) => void): Theatre {
  const ids = random.fork('ids')
  let emitted: ProviderEvent[] = []
  let now = BEGINNING
  let group_id = ''
  let minted = 0
  const mint = (prefix: string): string => {
    // The API lists these by id, and the provider's ids ascend with time.
    if (prefix === 'vtx' || prefix === 'lopp') return `${prefix}_${ascending(now, minted++)}${ids.hex(3)}`
    const length = ID_LENGTH[prefix]
    return `${prefix}_${length === undefined ? ids.hex(18) : ids.letters(length)}`
  }
  const stage: Stage = {
    world: { campaigns: foundCampaigns(random.fork('campaigns'), mint), customers: [], cards: [], orders: [], gifts: [] },
    random: random.fork('scenes'),
    get now () { return now },
    spends: [],
    mint,
    stamp: (after = between(stage.random, 0.2, 4)) => ({ id: mint('evcus'), at: now + toMilliseconds(after), group_id }),
    emit: (...events) => { emitted.push(...events) }
  }
  return {
    stage,
    next () {
      emitted = []
      now += MINUTE + toMilliseconds(Math.floor(stage.random.next() ** 3 * 60 * MINUTE))
      group_id = `v-${ids.hex(18)}`
      play(stage)
      return emitted
    }
  }
}

/** A random span between two numbers of seconds, to the microsecond. */
export function between (random: Random, from_seconds: number, to_seconds: number): Micros {
  return random.integer(Math.round(from_seconds * SECOND), Math.round(to_seconds * SECOND))
}

export function toMilliseconds (span: Micros): Micros {
  return Math.floor(span / MILLISECOND) * MILLISECOND
}

/** The time of a change after another one: no two states of an object have one time. */
export function laterThan (before: Micros, at: Micros): Micros {
  return Math.max(before + 1, at)
}

/** Changes a card's balance and records the true movement. @returns the card after it */
export function move (card: Card, movement: { movement_id: string, kind: Kind, points: number, at: Micros }): Card['now'] {
  const balance = card.now.balance + movement.points
  card.now = { ...card.now, balance, updated_at: movement.at }
  card.movements.push({ ...movement, balance } satisfies Movement)
  return card.now
}

/** Cards that can move points: active, held by a customer, with at least `atLeast` points. */
export function liveCards (stage: Stage, atLeast = 0): Card[] {
  const { cards } = stage.world
  const { random } = stage
  // A sample: a search through the whole world for each scene would take quadratic time.
  const sample = cards.length <= 20 ? cards : Array.from({ length: 20 }, () => random.pick(cards))
  return sample.filter(card => !card.deleted && card.now.active && card.now.holder !== undefined && card.now.balance >= atLeast)
}

export function liveCustomers (stage: Stage): Customer[] {
  const { customers } = stage.world
  const { random } = stage
  const sample = customers.length <= 20 ? customers : Array.from({ length: 20 }, () => random.pick(customers))
  return sample.filter(customer => !customer.deleted)
}

function foundCampaigns (random: Random, mint: (prefix: string) => string): Campaign[] {
  return ['Loyalty programme', 'Club — Zażółć', 'Patient points'].map((name, index) => ({
    id: mint('camp'),
    name,
    created_at: BEGINNING - 100 * DAY + random.integer(0, DAY),
    rules: Array.from({ length: index === 0 ? 3 : random.integer(1, 3) }, () => foundRule(random, mint)),
    tiers: ['Bronze', 'Silver', 'Gold'].map((tier, step) => ({ id: mint('ltr'), name: tier, from: step * 500, created_at: BEGINNING - 99 * DAY })),
    reward: { id: mint('rew'), assignment_id: mint('rewa'), name: 'Thermal bottle', points: random.integer(5, 60) },
    pending_days: index === 2 ? 14 : 0
  }))
}

function foundRule (random: Random, mint: (prefix: string) => string): Rule {
  // Ids are opaque. One that contains the separator of keys must not make two keys equal.
  const id = random.chance(0.1) ? `${mint('ern')}:${random.pick(['a', '50%'])}` : mint('ern')
  const type = random.pick(['FIXED', 'PROPORTIONAL'] as const)
  return { id, banner: 'Order paid', type, points: random.integer(1, 40), every: random.pick([500, 1000, 2500]), created_at: BEGINNING - 98 * DAY }
}
