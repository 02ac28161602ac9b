import { setTimeout as sleep } from 'node:timers/promises'

const poll_ms = 10

/**
 * Waits until the condition gives something truthy, and returns that. An error that it throws counts as "not yet" and
 * is the cause of the failure if time runs out.
 */
export async function waitUntil<Result> (
  condition: () => Result | Promise<Result>,
  { timeout_ms = 10_000, what = 'the condition' }: { timeout_ms?: number, what?: string } = {}
): Promise<NonNullable<Result>> {
  const deadline = Date.now() + timeout_ms
  let last: unknown
  for (;;) {
    try {
      const result = await condition()
      if (result) return result
      last = undefined
    } catch (error) {
      last = error
    }
    if (Date.now() > deadline) {
      const why = last === undefined ? '' : `: ${(last as Error).message}`
      throw new Error(`Waited ${timeout_ms} ms for ${what} in vain${why}`, { cause: last })
    }
    await sleep(poll_ms)
  }
}
