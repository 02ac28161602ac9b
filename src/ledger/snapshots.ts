import type { Fact, MovementObservation, SnapshotObservation } from './facts.ts'
import { apart, SAME_MOMENT_MICROSECONDS } from './instant-distance.ts'
import type { Instant } from './instant.ts'

/** The balance that a card was seen with: what the provider shows as of a time, not what a movement states. */
export interface BalanceSnapshot { card_id: string, occurred_at: Instant, balance: bigint, recorded_at: Instant }

/**
 * Gives a snapshot to the movement of the same event that it is dated at. A movement that states no balance takes the
 * snapshot's as the balance after it (in all published spends it is); one that states its balance needs none. Such a
 * snapshot says nothing more of the balance, and is left out; what it says of pending points stays.
 * @param facts of one event
 */
export function attachSnapshots (facts: readonly Fact[]): readonly Fact[] {
  const snapshots = facts.filter(fact => fact.fact === 'snapshot').filter(({ balance }) => balance !== null)
  if (snapshots.length === 0) return facts
  const attached = new Map<MovementObservation, SnapshotObservation>()
  for (const snapshot of snapshots) {
    const movement = facts.find(fact => fact.fact === 'movement' && fact.card_id === snapshot.card_id && isDatedAt(snapshot, fact))
    if (movement?.fact === 'movement' && !attached.has(movement)) attached.set(movement, snapshot)
  }
  const taken = new Set(attached.values())
  return facts.flatMap((fact): Fact[] => {
    if (fact.fact === 'movement') return [withBalance(fact, attached.get(fact))]
    if (fact.fact !== 'snapshot' || !taken.has(fact)) return [fact]
    return fact.pending === null ? [] : [{ ...fact, balance: null }]
  })
}

function isDatedAt (snapshot: SnapshotObservation, movement: MovementObservation): boolean {
  return apart(snapshot.occurred_at, movement.occurred_at) <= SAME_MOMENT_MICROSECONDS
}

function withBalance (movement: MovementObservation, snapshot: SnapshotObservation | undefined): MovementObservation {
  return snapshot === undefined || movement.reported_balance !== null ? movement : { ...movement, observed_balance: snapshot.balance }
}
