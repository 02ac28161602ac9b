/** How badly the provider behaves. All are probabilities except `slip`. */
export interface Chaos {
  /** For each send: the same bytes again, right after it. */
  duplicate: number
  /** For each send: the same bytes again, much later. */
  late: number
  /** How many places a send may slip back. */
  slip: number
  /** For each event: it is not sent; another event may state the same movement. */
  source_missing: number
  /** For each movement: no event that states it is sent. */
  movement_dropped: number
  /** For each event that was sent: sent again with the same key and other facts. */
  conflict: number
  /** For each event or send, one more delivery: a test, an unknown type, an unusable body, a wrong signature. */
  test: number
  unknown: number
  unusable: number
  forged: number
  /** For each send: undocumented fields. */
  extras: number
}

export type ChaosLevel = 'none' | 'low' | 'high'

export const CHAOS: Readonly<Record<ChaosLevel, Chaos>> = {
  none: { duplicate: 0, late: 0, slip: 0, source_missing: 0, movement_dropped: 0, conflict: 0, test: 0, unknown: 0, unusable: 0, forged: 0, extras: 0 },
  low: { duplicate: 0.04, late: 0.02, slip: 12, source_missing: 0.08, movement_dropped: 0.02, conflict: 0.01, test: 0.004, unknown: 0.01, unusable: 0.006, forged: 0.006, extras: 0.1 },
  high: { duplicate: 0.12, late: 0.08, slip: 200, source_missing: 0.3, movement_dropped: 0.1, conflict: 0.08, test: 0.01, unknown: 0.03, unusable: 0.03, forged: 0.02, extras: 0.3 }
}
