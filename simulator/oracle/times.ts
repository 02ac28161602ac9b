/** The microseconds between two times with six digits. */
export function microsBetween (a: string, b: string): number {
  return Math.abs(micros(a) - micros(b))
}

function micros (at: string): number {
  return Date.parse(at.slice(0, 19) + 'Z') * 1000 + Number(at.slice(20, 26))
}
