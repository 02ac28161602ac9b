import { setTimeout as pause } from 'node:timers/promises'
import { failureOf } from './errors.ts'

/** The bounds of the pauses between tries. */
export interface Backoff { base_ms: number, max_ms: number }

/**
 * How long to pause after a number of failures in a row. It doubles with each, up to `max_ms`; half of it is random, so
 * that processes that failed at the same moment do not try again at the same moment.
 */
export function backoff_ms (failures: number, { base_ms, max_ms }: Backoff): number {
  const ceiling_ms = Math.min(base_ms * 2 ** Math.min(failures - 1, 20), max_ms)
  return ceiling_ms / 2 + Math.random() * ceiling_ms / 2
}

/**
 * Runs an action, and runs it again while it fails for a reason that passes.
 * @param options.tries how often at most
 * @param options.passes which errors pass; without it, what PostgreSQL reports of deadlocks, locks and serialization
 * @param options.backoff without it, the next try follows at once
 * @throws the error of the last try, or the first error that does not pass
 */
export async function withRetries<T> (
  action: () => Promise<T>,
  { tries, passes = error => failureOf(error) === 'retry', backoff }: { tries: number, passes?: (error: unknown) => boolean, backoff?: Backoff }
): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await action()
    } catch (error) {
      if (failures === tries || !passes(error)) throw error
      if (backoff !== undefined) await pause(backoff_ms(failures, backoff))
    }
  }
}
