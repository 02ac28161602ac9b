/** Lets a loop sleep until others wake it. A ring while nobody waits ends the next wait at once. */
export interface Nudge {
  ring: () => void
  /** Resolves at the next ring, or after `timeout_ms`. */
  wait: (timeout_ms: number) => Promise<void>
}

export function createNudge (): Nudge {
  let rung = false
  let wake: (() => void) | undefined
  return {
    ring () {
      rung = true
      wake?.()
    },
    async wait (timeout_ms) {
      if (!rung) {
        await new Promise<void>(resolve => {
          const timer = setTimeout(resolve, timeout_ms)
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      }
      wake = undefined
      rung = false
    }
  }
}
