/** How many database connections of a process are for what. Whatever waits in one share cannot hold up another. */
export interface ConnectionShares {
  /** Appends, quarantine and probes. */
  ingest: number
  /** Steps of the worker. */
  steps: number
  /** Reads and everything that operators ask over HTTP. */
  reads: number
}

/** Two batches at once, and beside them a notification, the quarantine or a probe. */
const INGEST_MAX = 3
/** Two steps at once, and a redrive beside them. */
const STEPS_MAX = 3

/**
 * Divides the connections of a process: a third each for ingest and for the worker, at most three, and the rest for
 * reads. A worker alone keeps one for probes.
 * @param total at least 3
 */
export function shareConnections (total: number, only: 'api' | 'worker' | undefined): ConnectionShares {
  if (only === 'worker') return { ingest: 1, steps: Math.min(total - 1, STEPS_MAX), reads: 0 }
  const third = Math.floor(total / 3)
  const ingest = Math.min(third, INGEST_MAX)
  const steps = only === 'api' ? 0 : Math.min(third, STEPS_MAX)
  return { ingest, steps, reads: total - ingest - steps }
}
