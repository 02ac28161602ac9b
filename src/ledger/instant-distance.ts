import type { Instant } from './instant.ts'

/**
 * A movement that its event dates by what triggered it, or by when it was sent, can have happened so much earlier or
 * later: triggers are seconds before, send-outs 1.7 to 5.8 s after in all published events.
 */
export const WINDOW_MICROSECONDS = 15_000_000

/** Two times of one change, in two objects of one payload, differ by less: by 7 ms in all published spends. */
export const SAME_MOMENT_MICROSECONDS = 100_000

/** The time between two instants, in microseconds, whichever is earlier. */
export function apart (a: Instant, b: Instant): number {
  return a === b ? 0 : Math.abs(toMicroseconds(a) - toMicroseconds(b))
}

function toMicroseconds (instant: Instant): number {
  return Date.parse(`${instant.slice(0, 23)}Z`) * 1000 + Number(instant.slice(23, 26))
}
