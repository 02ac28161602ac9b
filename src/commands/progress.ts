import { Presets, SingleBar } from 'cli-progress'

/** Shows how far a command has come: a bar on a terminal, nothing where the reader is a program. */
export interface Progress {
  add: (amount: number) => void
  stop: () => void
}

/**
 * Starts a bar on standard error.
 * @param total in the same unit as what is added
 */
export function showProgress (what: string, total: number, quiet: boolean): Progress {
  if (quiet || !process.stderr.isTTY || total === 0) return { add () {}, stop () {} }
  const bar = new SingleBar({ format: `${what} {bar} {percentage}% · {eta_formatted} left`, hideCursor: true, etaBuffer: 100 }, Presets.shades_classic)
  bar.start(total, 0)
  return {
    add: amount => { bar.increment(amount) },
    stop: () => { bar.stop() }
  }
}
