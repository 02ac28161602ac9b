/** A question to a party that may answer late, or never. */
export interface SharedQuestion<T> {
  /** Resolves with the next answer, or with the substitute if none comes in time. */
  ask: () => Promise<T>
  answer: (answer: T) => void
  /** Callers that still wait. */
  waiting: () => number
}

/**
 * Sends a question once, however many ask it while it is open: all of them get the next answer. A caller that got the
 * substitute is forgotten, so a party that never answers leaves nothing behind.
 * @param send sends the question; called again only after an answer
 */
export function createSharedQuestion<T> (send: () => void, options: { timeout_ms: number, substitute: T }): SharedQuestion<T> {
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
