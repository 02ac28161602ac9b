import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { link, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { EmbeddedPostgresError } from './errors.ts'
import { readIfThere } from './files.ts'
import { isAlive } from './postmaster.ts'

const heartbeat_ms = 2_000
const stale_after_ms = 20_000
const wait_limit_ms = 150_000

const heldByUs = new Set<string>()

/** What a waiter has seen of someone's lock: when it was last touched, and since when (by our monotonic clock) it has not been again. */
interface Watch { touched_ms: number, since_ms: number }

/**
 * Runs the action while no other process runs one under the same lock file. Node has no file locks that the kernel
 * gives back, so the file names its holder and is touched while it is held. It is stale when the holder is dead, or, where the
 * process number proves nothing (re-used, another container), when we have watched it for 20 s and nobody touched it.
 */
export async function withLock<Result> (path: string, action: () => Promise<Result>): Promise<Result> {
  const ours = await acquire(path)
  heldByUs.add(path)
  const beat = setInterval(() => { utimes(path, new Date(), new Date()).catch(() => {}) }, heartbeat_ms).unref()
  try {
    return await action()
  } finally {
    clearInterval(beat)
    heldByUs.delete(path)
    if (await readIfThere(path) === ours) await rm(path, { force: true })
  }
}

async function acquire (path: string): Promise<string> {
  const deadline = Date.now() + wait_limit_ms
  const watch = { touched_ms: 0, since_ms: 0 }
  for (;;) {
    const ours = await tryCreate(path)
    if (ours !== undefined) return ours
    if (await isStale(path, watch)) {
      await remove(path, watch)
      continue
    }
    if (Date.now() > deadline) {
      throw new EmbeddedPostgresError('locked', `Another process has been opening or closing the embedded PostgreSQL for ${wait_limit_ms / 1000} s (${path} names it). Wait for it or end it, then start again.`)
    }
    await sleep(20 + Math.random() * 30)
  }
}

/** The file appears with its content or not at all: a reader never meets an empty one. Returns the content, or undefined if someone has it. */
async function tryCreate (path: string): Promise<string | undefined> {
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`
  const content = `${process.pid} ${hostname()} ${randomBytes(4).toString('hex')}\n`
  try {
    await writeFile(draft, content, { mode: 0o600 })
    await link(draft, path)
    return content
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined
    throw error
  } finally {
    // On a full disk there may be an empty one, or none.
    await rm(draft, { force: true })
  }
}

async function isStale (path: string, watch: Watch): Promise<boolean> {
  const [content, stats] = await Promise.all([readFile(path, 'utf8'), stat(path)]).catch(() => [undefined, undefined])
  if (content === undefined || stats === undefined) return false
  if (stats.mtimeMs !== watch.touched_ms) {
    watch.touched_ms = stats.mtimeMs
    watch.since_ms = performance.now()
  }
  // Not the file's age: after a laptop's sleep every lock looks old.
  if (performance.now() - watch.since_ms > stale_after_ms) return true
  const [pid, host] = content.trim().split(' ')
  if (host !== hostname()) return false
  return Number(pid) === process.pid ? !heldByUs.has(path) : !await isAlive(Number(pid))
}

/** Two waiters can find the same lock stale; only the one that makes the breaker file removes it, after a second look. */
async function remove (path: string, watch: Watch): Promise<void> {
  const breaker = `${path}.breaking`
  const age_ms = await stat(breaker).then(({ mtimeMs }) => Date.now() - mtimeMs, () => 0)
  if (age_ms > stale_after_ms) await rm(breaker, { force: true })
  if (await tryCreate(breaker) === undefined) {
    await sleep(20)
    return
  }
  try {
    if (await isStale(path, watch)) await rm(path, { force: true })
  } finally {
    await rm(breaker, { force: true })
  }
}
