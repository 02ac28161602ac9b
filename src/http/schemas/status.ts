import { Type } from '@sinclair/typebox'
import { Int, NullableInt, NullableText, NullableTime, Time } from './common.ts'

function NullableSeconds (options: object) {
  return Type.Unsafe<number | null>({ type: ['number', 'null'], ...options })
}

const Version = (description: string) => Type.Integer({ description })

const Projection = Type.Object({
  name: Type.String(),
  version: Type.Unsafe<number | null>({ type: ['integer', 'null'], description: 'Version of the rules that folded the live rows; null if there are none yet' }),
  code_version: Version('Version of this server\'s rules'),
  outdated: Type.Boolean({ description: 'True if the two versions differ: the rows are served as they are, but no new events are folded into them until a rebuild' }),
  lag_events: Int({ description: 'Stored events that are not folded yet' }),
  lag_seconds: NullableSeconds({ description: 'How long ago the oldest of them was stored; 0 if there is none, null if it is missing in the log' }),
  parked: Type.Integer({ description: 'Number of cards, orders, customers or events that are parked; they lack events although they do not count as lag' }),
  oldest_parked_at: NullableTime()
})

const Worker = Type.Object({
  alive: Type.Boolean(),
  waiting: NullableText({ description: 'Why the worker cannot claim a shard; usually because the database does not answer' }),
  resting: Type.Array(Type.Object({
    shard: Type.Integer(),
    reason: Type.String({ description: 'Why its last step failed' }),
    failures: Type.Integer({ description: 'Number of failures in a row' })
  }), { description: 'Shards whose last step failed; each is retried after a pause' })
})

export const Status = Type.Object({
  as_of: Time({ description: 'Everything except worker and refused is the state of the database at this time' }),
  attention: Type.Array(Type.Object({
    code: Type.String({ description: 'parked, outdated, lagging (for more than 60 s), log_gap, worker_ended, reconcile_old (none has finished for 48 h), reconcile_differs or dated_ahead' }),
    detail: Type.String({ description: 'What is wrong and what to do next, for people' })
  }), { description: 'Problems that need action; empty if there are none' }),
  projections: Type.Array(Projection),
  rebuild: Type.Array(Type.Object({
    name: Type.String(),
    version: Version('Version of the rules that it is folded with'),
    lag_events: Int({ description: 'Events still to fold' })
  }), { description: 'Projections that are being rebuilt beside the live ones' }),
  quarantine: Type.Object({
    open: Type.Integer({ description: 'Number of open rows' }),
    conflicts: Type.Integer({ description: 'How many of these contradict a stored event (conflict, contradicts_movement); an operator must decide' }),
    reasons: Type.Array(Type.Object({ reason: Type.String(), open: Type.Integer() }))
  }),
  unread: Type.Array(Type.Object({
    type: Type.String({ description: 'Type of the events' }),
    events: Int({ description: 'How many are stored; those that are not folded yet are not counted yet' })
  }), { description: 'Types of which events are stored and not read; the most frequent first' }),
  log: Type.Object({
    events: Int({ description: 'Number of stored events' }),
    newest_recorded_at: NullableTime(),
    silence_seconds: NullableSeconds({ description: 'Seconds since newest_recorded_at; null for an empty log' }),
    shards: Type.Array(Type.Object({
      shard: Type.Integer(),
      head: Int({ description: 'Position of its newest event; 0 if it is empty' }),
      chain: Type.String({ description: 'Chain value of its newest event; hex' }),
      newest_recorded_at: NullableTime()
    }))
  }),
  refused: Type.Array(Type.Object({
    code: Type.String({ description: 'Code of the problem that was answered' }),
    count: Type.Integer(),
    last_at: Type.String({ description: 'When it was last answered' })
  }), { description: 'Deliveries that this process refused since it started, by reason: nothing of them was kept' }),
  reconciliations: Type.Array(Type.Object({
    provider: Type.String(),
    state: Type.String({ description: 'Of the newest one: running (or killed), stopped, or finished' }),
    ended_by: NullableText({ description: 'Why it stopped' }),
    detail: NullableText(),
    first_started_at: Time({ description: 'When the first of all began' }),
    finished_at: NullableTime({ description: 'When the newest finished one ended' }),
    cards_compared: NullableInt({ description: 'Of that one' }),
    cards_healed: NullableInt({ description: 'Of that one' }),
    cards_different: NullableInt({ description: 'Of that one: cards that are not as the provider states' })
  }), { description: 'How the ledger last asked each provider for everything; empty if it never did' }),
  worker: Type.Unsafe<null | typeof Worker.static>({ ...Worker, type: ['object', 'null'], description: 'The worker of this process; null if it has none' })
})
