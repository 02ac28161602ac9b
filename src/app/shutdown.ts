import closeWithGrace from 'close-with-grace'

/** An orderly end: parts are stopped in reverse order of their start, all within a time limit. */
export interface Shutdown {
  /** Registers how to undo a start. Call it next to the start. */
  onStop: (phase: string, stop: () => Promise<void>) => void
  stop: () => Promise<void>
  /** Resolves when everything has stopped. */
  stopped: Promise<void>
}

/** Stops on SIGINT and SIGTERM; a second signal, or the time limit, ends the process at once. */
export function createShutdown (timeout_ms: number, log: (line: string) => void): Shutdown {
  const phases: Array<{ phase: string, stop: () => Promise<void> }> = []
  let resolveStopped: () => void = () => {}
  const stopped = new Promise<void>(resolve => { resolveStopped = resolve })
  let stopping: Promise<void> | undefined
  let failed = false

  async function stop (): Promise<void> {
    while (phases.length > 0) {
      const last = phases.pop()
      try {
        await last?.stop()
      } catch (error) {
        failed = true
        log(`Stopping ${last?.phase} failed: ${(error as Error).message}`)
      }
    }
    resolveStopped()
  }

  const grace = closeWithGrace({ delay: timeout_ms, logger: { error: message => { log(String(message)) } } }, async ({ signal, err }) => {
    if (err !== undefined) log(`Stopping after an error: ${err.stack ?? err.message}`)
    if (signal !== undefined) log(`Stopping (${signal}) …`)
    stopping ??= stop()
    await stopping
    if (signal !== undefined && !failed) log('Stopped. What was acknowledged is stored; the next start continues from there.')
  })
  return {
    onStop: (phase, undo) => { phases.push({ phase, stop: undo }) },
    async stop () {
      grace.uninstall()
      stopping ??= stop()
      await stopping
    },
    stopped
  }
}
