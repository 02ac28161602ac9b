import { append, type Appendable, type Appended } from './append.sql.ts'
import type { Db } from '../postgres/database.ts'
import { failureOf, whyUnavailable } from '../postgres/errors.ts'
import { withRetries } from '../postgres/retry.ts'

export interface AppenderOptions {
  /** Events that may wait; beyond it `append` refuses. */
  queueLimit: number
  /** Called after a commit that stored something new. */
  onStored?: () => void
  /** Stores a batch; `append` by default. */
  store?: typeof append
}

export interface Appender {
  /**
   * Stores an event, or learns that it is stored: resolves after the commit.
   * @throws AppendRefused when the queue or all connections are full, the database is away or slow, or the input cannot
   * be stored
   */
  append: (event: Appendable) => Promise<Appended>
  /** Refuses new events from now on, and waits until all accepted ones are stored or refused. */
  close: () => Promise<void>
}

/**
 * Why an event was not stored. `busy`: the connections for deliveries were in use for too long. After `unavailable` it
 * may have been stored: the sender's retry finds out.
 */
export class AppendRefused extends Error {
  override name = 'AppendRefused'
  readonly code: 'queue_full' | 'busy' | 'unavailable' | 'unstorable' | 'defect'

  constructor (code: AppendRefused['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

interface Waiting {
  event: Appendable
  resolve: (appended: Appended) => void
  reject: (error: AppendRefused) => void
}

/** Batches in flight at once. Lanes have disjoint shards, so they never wait for each other's row locks. */
const LANES = 2
/** Larger batches than 512 are hardly faster. The bounds in characters keep large bodies from filling the memory. */
const BATCH_EVENTS = 512
const BATCH_CHARACTERS = 8_000_000
const QUEUE_CHARACTERS = 64_000_000
/** A deadlock, or a key that two shards appended at once, is resolved by the next try. */
const TRIES = 5
/** The provider waits 10 s for an answer, and a 503 in time is better than its timeout. */
const COMMIT_TIMEOUT_MS = 8000

/**
 * Gathers events into batches without a timer: a free lane stores what has arrived, and what arrives meanwhile is its
 * next batch. So batches grow under load, and a single event does not wait.
 */
export function createAppender (db: Db, options: AppenderOptions): Appender {
  const lanes = Array.from({ length: LANES }, () => createLane({ db, store: append, ...options }))
  const depth = (): number => lanes.reduce((total, lane) => total + lane.size(), 0)
  const characters = (): number => lanes.reduce((total, lane) => total + lane.characters(), 0)
  let closing = false
  return {
    async append (event) {
      if (closing) throw new AppendRefused('unavailable', 'the server is stopping')
      if (depth() >= options.queueLimit || characters() >= QUEUE_CHARACTERS) {
        throw new AppendRefused('queue_full', 'too many deliveries are waiting')
      }
      return await new Promise((resolve, reject) => {
        lanes[event.shard % lanes.length]?.add({ event, resolve, reject })
      })
    },
    async close () {
      closing = true
      await Promise.all(lanes.map(async lane => { await lane.idle() }))
    }
  }
}

interface Storing extends Pick<AppenderOptions, 'onStored'> { db: Db, store: typeof append }

function createLane (storing: Storing) {
  const queue: Waiting[] = []
  let characters = 0
  let inFlight = 0
  let running: Promise<void> | undefined

  async function run (): Promise<void> {
    // One turn of the event loop gathers the requests that were read together.
    await new Promise(resolve => setImmediate(resolve))
    while (queue.length > 0) {
      const batch = takeBatch()
      inFlight = batch.length
      const error = await resolveBatch(storing, batch)
      inFlight = 0
      if (error?.code === 'unavailable' || error?.code === 'busy') {
        rejectAll(queue.splice(0), error)
        characters = 0
      }
    }
    running = undefined
  }

  function takeBatch (): Waiting[] {
    let count = 0
    let size = 0
    while (count < queue.length && count < BATCH_EVENTS && (count === 0 || size < BATCH_CHARACTERS)) {
      size += queue[count++]?.event.body.length ?? 0
    }
    characters -= size
    return queue.splice(0, count)
  }

  return {
    size: () => queue.length + inFlight,
    characters: () => characters,
    add (waiting: Waiting): void {
      queue.push(waiting)
      characters += waiting.event.body.length
      running ??= run()
    },
    async idle (): Promise<void> { await running }
  }
}

/** Stores a batch and answers each of its members. @returns the error if the batch failed as a whole */
async function resolveBatch (storing: Storing, batch: readonly Waiting[]): Promise<AppendRefused | undefined> {
  try {
    const events = batch.map(waiting => waiting.event)
    const answers = await withRetries(async () => await withTimeout(storing.store(storing.db, events)), { tries: TRIES, passes: mayPass })
    batch.forEach((waiting, index) => { waiting.resolve(answers[index] as Appended) })
    if (answers.some(answer => answer.outcome === 'accepted')) storing.onStored?.()
    return undefined
  } catch (error) {
    if (failureOf(error) === 'input' && batch.length > 1) {
      // One event that PostgreSQL refuses must not harm the rest of its batch: halve until it is alone.
      const middle = batch.length >> 1
      const first = await resolveBatch(storing, batch.slice(0, middle))
      const second = await resolveBatch(storing, batch.slice(middle))
      return second ?? first
    }
    const refused = refusal(error)
    rejectAll(batch, refused)
    return refused
  }
}

/** A key that another shard's append stored meanwhile is a duplicate at the next try. */
const mayPass = (error: unknown): boolean => ['retry', 'taken'].includes(failureOf(error))

async function withTimeout<T> (work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new AppendRefused('unavailable', 'the database took too long'))
    }, COMMIT_TIMEOUT_MS)
  })
  try {
    return await Promise.race([work, timeout])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Why a delivery is refused whose event was not the trouble, but another statement on its way.
 * @param what was not done, in a sentence
 */
export function refusedBeside (what: string, error: unknown): AppendRefused {
  return whyUnavailable(error) === 'exhausted' ? absence(error) : new AppendRefused('unavailable', what, { cause: error })
}

function refusal (error: unknown): AppendRefused {
  if (error instanceof AppendRefused) return error
  switch (failureOf(error)) {
    case 'input': return new AppendRefused('unstorable', `PostgreSQL cannot store the body: ${(error as Error).message}`, { cause: error })
    case 'retry': case 'taken': return new AppendRefused('unavailable', `other appends were in the way ${TRIES} times`, { cause: error })
    case 'unavailable': return absence(error)
    case 'defect': return new AppendRefused('defect', 'the append failed; the server log says why', { cause: error })
  }
}

function absence (error: unknown): AppendRefused {
  switch (whyUnavailable(error)) {
    case 'exhausted': return new AppendRefused('busy', 'all database connections for deliveries were in use for too long (DATABASE_POOL_SIZE)', { cause: error })
    case 'timeout': return new AppendRefused('unavailable', 'the database took too long', { cause: error })
    case 'unreachable': return new AppendRefused('unavailable', 'the database is not available', { cause: error })
  }
}

function rejectAll (batch: readonly Waiting[], error: AppendRefused): void {
  for (const waiting of batch) waiting.reject(error)
}
