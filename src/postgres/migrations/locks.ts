import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { MigrationError } from './error.ts'

/** node-pg-migrate's own well-known lock: whoever runs its command line by hand waits for us, and we for them. */
const lockKey = '7241865325823964'

/**
 * Waits for another process that migrates. Asks again and again: a session that waits inside a statement holds a snapshot, and a
 * concurrent build of an index in the other process would wait for it. Closing the connection gives the lock back.
 * @throws MigrationError migration_locked
 */
export async function waitForLock (client: pg.Client, wait_ms: number): Promise<void> {
  const deadline = performance.now() + wait_ms
  for (;;) {
    const { rows: [row] } = await client.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [lockKey])
    if (row?.locked === true) return
    const left_ms = deadline - performance.now()
    if (left_ms <= 0) throw new MigrationError('migration_locked', `Another process has been migrating this database for more than ${wait_ms / 1000} s. Wait for it, or end it, and try again.`)
    await sleep(Math.min(left_ms, 50 + 100 * Math.random()))
  }
}

/** A lock that was not to be had in time, or a deadlock in which the migration gave way. */
export function isBlocked (error: unknown): boolean {
  return ['55P03', '40P01'].includes((error as { code?: string }).code ?? '')
}

/** Longer each time, and never at the same moment as before: in between, what waited behind the try goes through. */
export function pauseAfter (attempt: number, timeout_ms: number): number {
  return Math.min(timeout_ms * 2 ** (attempt - 1), timeout_ms * 8) * (0.5 + Math.random())
}
