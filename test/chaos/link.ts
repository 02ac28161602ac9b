import { connect, type Socket } from 'node:net'
import { applicationName, asksForTls, createFramer, isRequest, READY, statementOf } from './wire.ts'

/** One connection through the proxy. */
export interface Link {
  /** Its application_name; empty until it has said so. */
  readonly name: string
  /** Requests so far: messages that the server answers with ReadyForQuery, of which a statement is one. */
  readonly requests: number
  readonly dead: boolean
  /** Nothing gets through any more, in either direction, and nobody is told; until `resume`. */
  stall: () => void
  /** What was held back goes on. */
  resume: () => void
  /** The network is gone for good: what is sent vanishes, and neither side learns that the other hung up. */
  die: () => void
  /** Both sides lose it at once. */
  cut: () => void
}

/** A request on its way. What is registered runs at most once, and the connection waits for it. */
export interface Request {
  /** Its SQL. */
  statement: string
  /** Before the server gets it. */
  before: (act: () => Promise<void>) => Promise<void>
  /** When the server has done it and the client does not know yet. */
  after: (act: () => Promise<void>) => Promise<void>
}

interface Hooks {
  onNamed: () => void
  onRequest: (request: Request) => void
  onClosed: () => void
}

/** Forwards a client to the server, message by message. */
export function openLink (client: Socket, target: { host: string, port: number }, hooks: Hooks): Link {
  const server = connect({ ...target, allowHalfOpen: true, noDelay: true })
  let name = ''
  let requests = 0
  let statement = ''
  let started = false
  let dead = false
  let acts: Array<() => Promise<void>> = []

  function fromClient (type: string | undefined, bytes: Buffer): Verdict {
    if (type === undefined && asksForTls(bytes)) {
      client.write('N')
      return 'swallow'
    }
    if (type === undefined) {
      name = applicationName(bytes)
      hooks.onNamed()
    }
    statement = statementOf(type, bytes) ?? statement
    return started && isRequest(type) ? announce() : undefined
  }

  /** @returns what the request must wait for */
  function announce (): Promise<undefined> | undefined {
    requests++
    let first: Promise<undefined> | undefined
    hooks.onRequest({
      statement,
      before: async act => { await (first = act().then(() => undefined)) },
      after: async act => {
        await new Promise<void>((resolve, reject) => {
          acts.push(async () => { await act().then(resolve, reject) })
        })
      }
    })
    return first
  }

  let held: Buffer[] = []
  function fromServer (type: string | undefined, bytes: Buffer): Verdict {
    if (type === READY) started = true
    if (acts.length === 0) return undefined
    // The client learns nothing of the answer before its end.
    held.push(bytes)
    return type === READY ? answer() : 'swallow'
  }

  async function answer (): Promise<'swallow'> {
    const waiting = acts
    acts = []
    for (const act of waiting) await act()
    if (client.writable) for (const bytes of held) client.write(bytes)
    held = []
    return 'swallow'
  }

  const ways = [pump(client, server, createFramer(true), fromClient), pump(server, client, createFramer(false), fromServer)]
  for (const side of [client, server]) side.once('close', () => { if (client.destroyed && server.destroyed) hooks.onClosed() })
  return {
    get name () { return name },
    get requests () { return requests },
    get dead () { return dead },
    stall () { for (const way of ways) way.stall() },
    resume () { for (const way of ways) way.resume() },
    die () {
      dead = true
      for (const way of ways) way.die()
    },
    cut () {
      client.destroy()
      server.destroy()
    }
  }
}

type Verdict = Promise<'swallow' | undefined> | 'swallow' | undefined
interface Pump { stall: () => void, resume: () => void, die: () => void }

/** Moves messages one way; each waits for what `inspect` returns, and so does all behind it, the end included. */
function pump (from: Socket, to: Socket, frame: ReturnType<typeof createFramer>, inspect: (type: string | undefined, bytes: Buffer) => Verdict): Pump {
  let way: 'open' | 'stalled' | 'dead' = 'open'
  let reopen: () => void = () => {}
  let reopened: Promise<void> | undefined
  let queue: Promise<void> = Promise.resolve()

  async function isPassable (): Promise<boolean> {
    while (reopened !== undefined) await reopened
    return way === 'open'
  }
  function enqueue (move: () => void | Promise<void>): void {
    queue = queue.then(async () => { if (await isPassable()) await move() }).catch(() => { to.destroy() })
  }
  from.on('data', chunk => {
    for (const { type, bytes } of frame(chunk)) {
      enqueue(async () => {
        if (await inspect(type, bytes) !== 'swallow' && await isPassable() && to.writable) to.write(bytes)
      })
    }
  })
  from.on('end', () => { enqueue(() => { to.end() }) })
  from.on('error', () => { /* the close follows */ })
  from.on('close', () => { enqueue(() => { to.destroy() }) })

  function open (next: 'open' | 'dead'): void {
    way = next
    reopened = undefined
    reopen()
  }
  return {
    stall () {
      if (way !== 'open') return
      way = 'stalled'
      reopened = new Promise(resolve => { reopen = resolve })
    },
    resume () { if (way === 'stalled') open('open') },
    die () { open('dead') }
  }
}
