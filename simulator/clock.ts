/** A time as whole microseconds since 1970: finer than a Date, as the provider's times are, and exact as a number. */
export type Micros = number

export const MILLISECOND: Micros = 1000
export const SECOND: Micros = 1_000_000
export const MINUTE: Micros = 60 * SECOND
export const DAY: Micros = 24 * 60 * MINUTE

/** A time as the ledger answers it, always with six digits: 2024-01-18T15:19:20.676000Z. */
export function instant (at: Micros): string {
  const milliseconds = Math.floor(at / MILLISECOND)
  return `${new Date(milliseconds).toISOString().slice(0, -1)}${String(at % MILLISECOND).padStart(3, '0')}Z`
}

/** A time as the provider writes most of them: three digits if they are exact, else six. */
export function written (at: Micros): string {
  return at % MILLISECOND === 0 ? new Date(at / MILLISECOND).toISOString() : instant(at)
}

/** The date of a time. The provider writes expiry and activation as dates. */
export function day (at: Micros): string {
  return instant(at).slice(0, 10)
}
