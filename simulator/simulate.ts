import { CHAOS, type Chaos, type ChaosLevel } from './chaos.ts'
import { deliver, type Delivery, type Send, type Trait } from './delivery.ts'
import type { ProviderEvent, Route } from './event.ts'
import type { World } from './model.ts'
import { testDelivery, unknownDelivery, unusableDelivery } from './oddities.ts'
import { createRandom, type Random } from './random.ts'
import { playScene } from './scenes/choose.ts'
import { openTheatre } from './stage.ts'

export interface SimulationOptions {
  seed: string | number
  /** How many customers join; some are deleted later. */
  customers?: number
  /** How many deliveries to make. There are fewer if `sources` produce no more. */
  events?: number
  chaos?: ChaosLevel
  /** The event types the merchant subscribed to: all; `seeds`, the two of samples/; or a list. */
  sources?: Sources
}
export type Sources = 'all' | 'seeds' | readonly string[]

export interface Simulation {
  /** In the order in which the provider sends them. */
  readonly deliveries: readonly Delivery[]
  /** What happened at the provider, sent or not. */
  readonly world: World
}

const SEEDS: readonly string[] = ['customer.rewarded.loyalty_points', 'customer.order.paid']

/** After this many scenes without a delivery the subscribed types produce no more. */
const SILENT_SCENES = 20_000

/**
 * Makes a history at the provider and its deliveries. A pure function: equal options give equal deliveries, byte for
 * byte, and other options give other ids. Property tests deliver any subset, order or repetition of `deliveries` and
 * compare the ledger with `expectationOf` the same deliveries.
 */
export function simulate (options: SimulationOptions): Simulation {
  const { seed, customers = 50, events = 1000, chaos: level = 'none', sources = 'all' } = options
  const random = createRandom(JSON.stringify([String(seed), customers, events, level, sources]))
  const { stage, next } = openTheatre(random.fork('theatre'), stage => { playScene(stage, customers) })
  const post = createPost(CHAOS[level], random.fork('post'), stage.mint, events)
  const subscribed = subscription(sources)
  for (let silent = 0; post.length() < events && silent < SILENT_SCENES; silent++) {
    const before = post.length()
    post.take(next().filter(event => subscribed(event.type)))
    if (post.length() > before) silent = 0
  }
  return { deliveries: post.inOrder().slice(0, events), world: stage.world }
}

function subscription (sources: Sources): (type: string) => boolean {
  if (sources === 'all') return () => true
  const types = new Set(sources === 'seeds' ? SEEDS : sources)
  return type => types.has(type)
}

interface Post {
  length: () => number
  take: (events: readonly ProviderEvent[]) => void
  inOrder: () => Delivery[]
}

/** Turns events into deliveries, each with a place in the order of sending. */
function createPost (chaos: Chaos, random: Random, mint: (prefix: string) => string, expected: number): Post {
  const placed: Array<{ place: number, delivery: Delivery }> = []
  const put = (delivery: Delivery, place: number): void => { placed.push({ place, delivery }) }

  function send (event: ProviderEvent, route: Route): void {
    const made = sendOf(event, route, chaos, random)
    const place = placed.length + (random.chance(0.3) ? random.integer(0, chaos.slip) : 0)
    put(deliver(made), place)
    const again = (trait: Trait): Delivery => deliver({ ...made, traits: [...made.traits, trait] })
    if (random.chance(chaos.duplicate)) put(again('duplicate'), place + random.integer(0, 3))
    if (random.chance(chaos.late)) put(again('late'), place + random.integer(5, Math.max(5, Math.floor(expected / 3))))
    if (random.chance(chaos.forged)) put(deliver({ ...made, kind: 'forged' }), place)
    // Later than the true one can slip: the ledger keeps the version that arrives first.
    if (event.contradictions !== undefined && random.chance(chaos.conflict)) {
      put(deliver({ ...made, event: random.pick(event.contradictions)(), kind: 'conflict' }), place + 1 + random.integer(0, 40))
    }
  }

  return {
    length: () => placed.length,
    take (events) {
      const dropped = new Set(events.map(event => event.movement_id).filter(id => id !== undefined && random.chance(chaos.movement_dropped)))
      for (const event of events) {
        if (event.movement_id !== undefined && dropped.has(event.movement_id)) continue
        if (random.chance(chaos.source_missing)) continue
        for (const route of someRoutes(event, random)) send(event, route)
        const looks = `${event.id}/test`
        if (random.chance(chaos.test)) put(testDelivery(event, looks), placed.length)
        if (random.chance(chaos.unknown)) put(unknownDelivery(event, mint('evcus'), random), placed.length)
        if (random.chance(chaos.unusable)) put(unusableDelivery(event, random), placed.length)
      }
    },
    // A stable sort: deliveries of one place keep their order.
    inOrder: () => placed.sort((a, b) => a.place - b.place).map(({ delivery }) => delivery)
  }
}

/** One or more of the routes by which the event can be sent. */
function someRoutes (event: ProviderEvent, random: Random): readonly Route[] {
  const routes = event.routes.filter(route => random.chance(route === 'v2018' ? 0.1 : 0.45))
  return routes.length > 0 ? routes : [random.pick(event.routes)]
}

function sendOf (event: ProviderEvent, route: Route, chaos: Chaos, random: Random): Send {
  const renamed = (route === 'distribution' || route === 'notification') && random.chance(0.4)
  const extras = random.chance(chaos.extras)
  const shuffled = random.chance(0.3)
  const pretty = random.chance(0.05)
  const misnamed = event.misnamed === true
  const traits = Object.entries({ renamed, extras, shuffled, pretty, misnamed }).filter(([, is]) => is).map(([trait]) => trait as Trait)
  // A v2018 event has an id of its own, unless both versions are known to share it.
  const event_id = route === 'v2018' && event.archived_id !== undefined ? event.archived_id : event.id
  return { event, wrapping: { route, event_id, renamed, extras, shuffled, pretty }, looks: `${event.id}/${route}/${random.hex(8)}`, kind: 'event', traits }
}
