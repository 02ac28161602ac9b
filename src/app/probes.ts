/** Asks somebody who may not answer in time, or at all. */
export interface Probes<T> {
  /** Resolves with the next answer, or with the substitute if none comes in time. */
  ask: () => Promise<T>
  answer: (answer: T) => void
  /** Callers that still wait. */
  waiting: () => number
}

/**
 * Bounds what probes of a silent party leave behind: whoever asks while a question is open shares its answer, and a
 * caller that got the substitute is forgotten.
 * @param send sends the question; called again only after an answer
 */
export function createProbes<T> (send: () => void, options: { timeout_ms: number, substitute: T }): Probes<T> {
  const waiting = new Set<(answer: T) => void>()
  let asked = false
  return {
    async ask () {
      return await new Promise(resolve => {
        const late = setTimeout(() => {
          waiting.delete(receive)
          resolve(options.substitute)
        }, options.timeout_ms)
        function receive (answer: T): void {
          clearTimeout(late)
          resolve(answer)
        }
        waiting.add(receive)
        if (asked) return
        asked = true
        send()
      })
    },
    answer (answer) {
      asked = false
      const receivers = [...waiting]
      waiting.clear()
      for (const receive of receivers) receive(answer)
    },
    waiting: () => waiting.size
  }
}
