import { InvalidArgumentError } from 'commander'

/** Reads the value of an option that counts something. */
export function positiveInteger (text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('A whole number above 0 is needed.')
  return value
}
