import type { Figure } from './scenario.ts'

export function median (values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] as number : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
}

/** The median of pairwise ratios: each pair was measured side by side, and noise hits both. */
export function ratio (ours: readonly number[], theirs: readonly number[]): number {
  return median(ours.map((value, index) => value / (theirs[index] as number)))
}

export function reached ({ goal, value }: Figure): boolean {
  return 'atLeast' in goal ? value >= goal.atLeast : value <= goal.atMost
}

/** The figures as one markdown table. */
export function tableOf (figures: readonly Figure[]): string {
  const rows = figures.map(figure => {
    const { goal, unit } = figure
    const wanted = 'atLeast' in goal ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`
    const of = unit === undefined ? '' : ` ${unit}`
    return `| ${figure.figure} | ${wanted}${of} | ${shown(figure.value)}${of} | ${reached(figure) ? 'yes' : '**no**'} | ${figure.detail} |`
  })
  return ['| figure | goal | measured | reached | behind it (medians) |', '| --- | --- | --- | --- | --- |', ...rows].join('\n')
}

function shown (value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(2)
}

/** A rate or a count for people: `4,210`. */
export function counted (value: number): string {
  return Math.round(value).toLocaleString('en')
}
