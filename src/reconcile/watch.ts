import { setTimeout as pauseFor } from 'node:timers/promises'

/** Something that is done again and again until it is stopped. */
export interface RepeatedRun { stop: () => Promise<void> }

/**
 * Runs an action, and again so long after each end. An action that fails is done again after the same time.
 * @param action gets a signal that says when to end early
 */
export function watch (every_ms: number, action: (stop: AbortSignal) => Promise<void>, onFailure: (error: unknown) => void): RepeatedRun {
  const stopping = new AbortController()
  const { signal } = stopping
  const stopped = (): boolean => signal.aborted

  async function loop (): Promise<void> {
    while (!stopped()) {
      await action(signal).catch((error: unknown) => { if (!stopped()) onFailure(error) })
      await pauseFor(every_ms, undefined, { signal }).catch(() => {})
    }
  }

  const ended = loop()
  return {
    async stop () {
      stopping.abort()
      await ended
    }
  }
}
