import type { Json } from '../wire/json.ts'

/** An exact number, not negative: numerator and denominator. */
export interface Fraction { over: bigint, under: bigint }

export const ZERO: Fraction = { over: 0n, under: 1n }

export function whole (value: bigint): Fraction {
  return { over: value, under: 1n }
}

/** A JSON number as it was written; undefined where it is none, is negative, or is one that the parser has rounded. */
export function fractionOf (value: Json | undefined): Fraction | undefined {
  if (typeof value !== 'number' || value < 0) return undefined
  if (Number.isInteger(value)) return Number.isSafeInteger(value) ? whole(BigInt(value)) : undefined
  // The shortest text that reads as this number is what was written, up to 15 digits.
  const [, units = '', decimals = ''] = /^(\d+)\.(\d+)$/.exec(String(value)) ?? []
  if (decimals === '' || units.length + decimals.length > 15) return undefined
  return { over: BigInt(units + decimals), under: 10n ** BigInt(decimals.length) }
}

export function plus (a: Fraction, b: Fraction): Fraction {
  return { over: a.over * b.under + b.over * a.under, under: a.under * b.under }
}

export function times (a: Fraction, b: Fraction): Fraction {
  return { over: a.over * b.over, under: a.under * b.under }
}

export function floor ({ over, under }: Fraction): bigint {
  return over / under
}

export function ceil ({ over, under }: Fraction): bigint {
  return (over + under - 1n) / under
}

/** In decimals, exact where the denominator is a power of ten, else cut after the second. */
export function decimal (fraction: Fraction): string {
  const { over, under } = /^10*$/.test(String(fraction.under)) ? fraction : { over: fraction.over * 100n / fraction.under, under: 100n }
  const fractional = String(over % under).padStart(String(under).length - 1, '0').replace(/0+$/, '')
  return fractional === '' ? String(over / under) : `${over / under}.${fractional}`
}
