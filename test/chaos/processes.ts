import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { start, type Running } from '../support/cli.ts'
import { waitUntil } from '../support/wait.ts'
import { openProxy, type Proxy } from './proxy.ts'

/** A process of ours under a supervisor, as in production: whatever ends it, it is started again. */
export interface Supervised {
  name: string
  /** Its own way to the database. */
  proxy: Proxy
  /** Where it answers, whichever of its lives it is in. */
  url: string
  /** kill -9. @returns once it is dead; it is started again by itself */
  kill: () => Promise<void>
  /** SIGSTOP: its connections stay, and say nothing. */
  pause: () => void
  resume: () => void
  /** Is it ready to work, by its own word? */
  isReady: () => Promise<boolean>
  /** What all its lives have said. */
  said: () => string
  /** Lives that ended although nobody killed it, with what it said. */
  endedByItself: string[]
}

/** Starts `loyalty-ledger serve` with these arguments on a database, and keeps it alive until the test ends. */
export async function supervise (t: Test, name: string, args: readonly string[], database: string, environment: Record<string, string>): Promise<Supervised> {
  const proxy = await openProxy(t, database)
  const PORT = String(await freePort())
  const url = `http://127.0.0.1:${PORT}`
  const endedByItself: string[] = []
  const lives: Running[] = []
  let running: Running
  let killed = false
  let stopped = false

  function live (): void {
    killed = false
    const life = running = start(t, ['serve', ...args], { ...environment, DATABASE_URL: proxy.url, PORT })
    lives.push(life)
    // What is registered last runs first: the test ends this life, and no other begins.
    t.teardown(() => { stopped = true })
    void life.finished.then(({ code, signal }) => {
      if (stopped) return
      if (!killed) endedByItself.push(`${name} ended by itself (${signal ?? code}): ${life.said()}`)
      live()
    })
  }
  live()
  const supervised: Supervised = {
    name,
    proxy,
    url,
    async kill () {
      killed = true
      const { process: child, finished } = running
      child.kill('SIGKILL')
      await finished
    },
    pause () { running.process.kill('SIGSTOP') },
    resume () { running.process.kill('SIGCONT') },
    isReady: async () => (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(5000) })).ok,
    said: () => lives.map(life => life.said()).join(''),
    endedByItself
  }
  await waitUntil(supervised.isReady, { timeout_ms: 30_000, what: `${name} to be ready` })
  return supervised
}

async function freePort (): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
