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

/**
 * What a waiter knows of a lock: its last touch, and since when, by our monotonic clock, it has not been touched again.
 */
interface Watch { touched_ms: number, since_ms: number }

/**
 * Runs the action while no other process runs one under the same lock file. Node has no file locks that the kernel
 * releases when a process dies. So the file names its holder, and the holder touches it while it holds the lock. A lock
 * is stale when its holder is dead. Where the process id proves nothing (reused, or of another container), it is stale
 * when nobody touched it while we watched it for 20 s.
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
      throw new EmbeddedPostgresError('locked', `Another process has been opening or closing the embedded PostgreSQL for ${wait_limit_ms / 1000} s (${path} contains its process id). Wait for it or end it, then start again.`)
    }
    await sleep(20 + Math.random() * 30)
  }
}

/**
 * Creates the lock file together with its content, so a reader never sees an empty one.
 * @returns the content, or undefined if another process holds the lock
 */
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
    // On a full disk the draft may be empty or missing.
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
  // Compares the time we watched, not the file's age: after a laptop wakes up, every lock looks old.
  if (performance.now() - watch.since_ms > stale_after_ms) return true
  const [pid, host] = content.trim().split(' ')
  if (host !== hostname()) return false
  return Number(pid) === process.pid ? !heldByUs.has(path) : !await isAlive(Number(pid))
}

/**
 * Removes a stale lock. Two waiters can find it stale; only the one that creates the breaker file removes it, after
 * checking again.
 */
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
