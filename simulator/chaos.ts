/** How badly the provider behaves: probabilities, but for the spans. */
export interface Chaos {
  /** Of a send: the very same bytes once more, right behind. */
  duplicate: number
  /** Of a send: the very same bytes once more, much later. */
  late: number
  /** How many places a send may slip back. */
  slip: number
  /** Of an event: it is not sent at all; another source may tell the same. */
  source_missing: number
  /** Of a movement: no event that tells it is sent. */
  movement_dropped: number
  /** Of an event that was sent: sent again with other facts under the same key. */
  conflict: number
  /** Beside an event: a test delivery, a type nobody knows, a body that cannot be used, a wrong signature. */
  test: number
  unknown: number
  unusable: number
  forged: number
  /** Of a send: fields nobody knows. */
  extras: number
}

export type ChaosLevel = 'none' | 'low' | 'high'

export const CHAOS: Readonly<Record<ChaosLevel, Chaos>> = {
  none: { duplicate: 0, late: 0, slip: 0, source_missing: 0, movement_dropped: 0, conflict: 0, test: 0, unknown: 0, unusable: 0, forged: 0, extras: 0 },
  low: { duplicate: 0.04, late: 0.02, slip: 12, source_missing: 0.08, movement_dropped: 0.02, conflict: 0.01, test: 0.004, unknown: 0.01, unusable: 0.006, forged: 0.006, extras: 0.1 },
  high: { duplicate: 0.12, late: 0.08, slip: 200, source_missing: 0.3, movement_dropped: 0.1, conflict: 0.08, test: 0.01, unknown: 0.03, unusable: 0.03, forged: 0.02, extras: 0.3 }
}
