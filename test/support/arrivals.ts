import type { Delivery } from '../../simulator/delivery.ts'

/**
 * The same deliveries, but a false telling waits for the true one of its key, and is left out where that never comes.
 * Which of two stands is decided by arrival, and a false one that stands can contradict other events: then nobody can
 * say what is right.
 */
export function truthFirst (deliveries: readonly Delivery[]): Delivery[] {
  const observed = new Set<string | undefined>()
  const waiting = new Map<string | undefined, Delivery[]>()
  return deliveries.flatMap(delivery => {
    const { kind, key } = delivery
    if (kind === 'conflict' && !observed.has(key)) {
      waiting.set(key, [...waiting.get(key) ?? [], delivery])
      return []
    }
    if (kind === 'event') observed.add(key)
    const released = kind === 'event' ? waiting.get(key) ?? [] : []
    waiting.delete(key)
    return [delivery, ...released]
  })
}
