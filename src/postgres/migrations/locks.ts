import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { MigrationError } from './error.ts'

/** The lock that node-pg-migrate itself uses: whoever runs its command line by hand waits for us, and we for them. */
const lockKey = '7241865325823964'

/**
 * Waits for another process that migrates. Polls: a session that waits inside a statement holds a snapshot, and a
 * concurrent index build of the other process would wait for it. Closing the connection releases the lock.
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

/** True for a lock timeout, and for a deadlock in which the migration was the victim. */
export function isBlocked (error: unknown): boolean {
  return ['55P03', '40P01'].includes((error as { code?: string }).code ?? '')
}

/** The pause after a try, growing and random. In the pause, sessions that waited behind the try go on. */
export function pauseAfter (attempt: number, timeout_ms: number): number {
  return Math.min(timeout_ms * 2 ** (attempt - 1), timeout_ms * 8) * (0.5 + Math.random())
}
