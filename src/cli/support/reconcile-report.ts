import type { Foreseen } from '../../reconcile/foresee.ts'
import type { Reconciliation } from '../../reconcile/reconciliations.sql.ts'
import type { CardDifference } from '../../reconcile/statement.ts'
import { table } from '../../app/output.ts'

/** A reconciliation as JSON: numbers that fit are numbers. */
export function reconciliationResult (done: Reconciliation): object {
  return Object.fromEntries(Object.entries(done).map(([name, value]) => [name, typeof value === 'bigint' ? Number(value) : value]))
}

export function reconciliationText (done: Reconciliation): string {
  const { calls, pulled, stored, duplicates, quarantined, cards_compared, cards_equal, cards_healed, cards_different } = done
  const healed = Object.entries(done.healed as Record<string, string>)
  return [
    `${pulled} objects pulled in ${calls} calls: ${stored} were missing and are stored, ${duplicates} were known${quarantined > 0n ? `, ${quarantined} cannot be used and are in quarantine` : ''}.`,
    `${cards_compared} cards compared: ${cards_equal} were right, ${cards_healed} are healed, ${cards_different} still differ.`,
    ...(healed.length === 0 ? [] : [`Changed by: ${healed.map(([figure, points]) => `${figure} ${signed(points)}`).join(', ')}.`]),
    ...differencesText(done.differences as CardDifference[], Number(cards_different)),
    ...(done.remarks as string[])
  ].join('\n')
}

export function foreseenResult (foreseen: Foreseen): object {
  return { dry_run: true, ...foreseen, points: Number(foreseen.points) }
}

export function foreseenText (foreseen: Foreseen): string {
  const missing = Object.entries(foreseen.missing).map(([thing, count]) => `${count} ${thing}`)
  return [
    `Dry run: nothing was written. ${foreseen.pulled} objects pulled in ${foreseen.calls} calls.`,
    `Missing: ${missing.length === 0 ? 'nothing' : missing.join(', ')}.`,
    `${foreseen.cards_compared} cards compared: ${foreseen.cards_different} are not as the provider states, by ${foreseen.points} points in all.`,
    ...differencesText(foreseen.differences, foreseen.cards_different),
    ...foreseen.remarks
  ].join('\n')
}

function differencesText (differences: readonly CardDifference[], total: number): string[] {
  if (differences.length === 0) return []
  const rows = differences.map(({ card_id, customer_id, balance, stated_balance, pending, stated_pending, reason }) => [
    card_id, customer_id ?? '-', `${balance ?? '-'} → ${stated_balance ?? '-'}`, `${pending ?? '-'} → ${stated_pending ?? '-'}`, reason
  ])
  return [table(['card', 'customer', 'balance', 'pending', 'reason'], rows), ...(total > differences.length ? [`… and ${total - differences.length} more`] : [])]
}

function signed (points: string): string {
  return points.startsWith('-') ? points : `+${points}`
}
