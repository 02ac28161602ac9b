import { SingleBar } from 'cli-progress'

export interface Progress {
  step: () => void
  done: () => void
}

/** A bar on a terminal; silence on a pipe. It is drawn on standard error, beside the result. */
export function startProgress (what: string, total: number): Progress {
  if (!process.stderr.isTTY) return { step: () => {}, done: () => {} }
  const bar = new SingleBar({
    format: `${what} {bar} {value}/{total} {percentage}% {eta_formatted}`,
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: true
  })
  bar.start(total, 0)
  return { step: () => bar.increment(), done: () => bar.stop() }
}
