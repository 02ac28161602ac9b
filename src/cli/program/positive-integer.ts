import { InvalidArgumentError } from 'commander'

/** Reads the value of an option that counts something. */
export function positiveInteger (text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('A whole number above 0 is needed.')
  return value
}

/** Reads the value of an option that is a share of all. */
export function percentage (text: string): number {
  const value = Number(text)
  if (!Number.isFinite(value) || value < 0 || value > 100) throw new InvalidArgumentError('A number from 0 to 100 is needed.')
  return value
}
