import { Presets, SingleBar } from 'cli-progress'

/** The progress of a command. */
export interface Progress {
  add: (amount: number) => void
  stop: () => void
}

/** Without a terminal, one line is written this often, for those who read the log. */
const LINE_EVERY_MS = 10_000

/**
 * Shows progress on standard error: a bar on a terminal, otherwise a line now and then if there is a unit.
 * @param total in the same unit as the amounts that are added
 * @param quiet true to show nothing, for `--json`
 * @param options.unit the name of what is counted; the rate is then shown as well
 */
export function showProgress (what: string, total: number, quiet: boolean, options: { unit?: string } = {}): Progress {
  const { unit } = options
  if (quiet || total === 0) return { add () {}, stop () {} }
  if (!process.stderr.isTTY) return unit === undefined ? { add () {}, stop () {} } : showLines(what, total, unit)
  const rate = unit === undefined ? '' : `{value}/{total} ${unit} · {rate} ${unit}/s · `
  const bar = new SingleBar({ format: `${what} {bar} {percentage}% · ${rate}{eta_formatted} left`, hideCursor: true, etaBuffer: 100 }, Presets.shades_classic)
  const started = performance.now()
  let value = 0
  bar.start(total, 0, { rate: '…' })
  return {
    add (amount) {
      value += amount
      bar.increment(amount, { rate: perSecond(value, started) })
    },
    stop: () => { bar.stop() }
  }
}

function showLines (what: string, total: number, unit: string): Progress {
  const started = performance.now()
  let value = 0
  let next = started + LINE_EVERY_MS
  return {
    add (amount) {
      value += amount
      if (performance.now() < next) return
      next = performance.now() + LINE_EVERY_MS
      const left_s = Math.round((total - value) / (value / (performance.now() - started)) / 1000)
      process.stderr.write(`${what}: ${value} of ${total} ${unit}, ${perSecond(value, started)} ${unit}/s, ${Math.max(left_s, 0)} s left\n`)
    },
    stop () {}
  }
}

function perSecond (value: number, started: number): string {
  return Math.round(value / Math.max((performance.now() - started) / 1000, 0.001)).toString()
}
