import { Type } from '@sinclair/typebox'
import { Int, NullableText, NullableTime, Time } from './common.ts'

function NullableSeconds (options: object) {
  return Type.Unsafe<number | null>({ type: ['number', 'null'], ...options })
}

const Version = (description: string) => Type.Integer({ description })

const Projection = Type.Object({
  name: Type.String(),
  version: Type.Unsafe<number | null>({ type: ['integer', 'null'], description: 'Of the rules that folded the live rows; null where there are none yet' }),
  code_version: Version('Of the rules of this server'),
  outdated: Type.Boolean({ description: 'The two differ: the rows are served as they are, nothing new is folded into them, and they wait for a rebuild' }),
  lag_events: Int({ description: 'Stored events that it has not come to' }),
  lag_seconds: NullableSeconds({ description: 'How long ago the oldest of them was stored; 0 where there is none, null where the log lacks it' }),
  parked: Type.Integer({ description: 'Cards, orders, customers or events that stand still; they lag by nothing and yet lack events' }),
  oldest_parked_at: NullableTime()
})

const Worker = Type.Object({
  alive: Type.Boolean(),
  waiting: NullableText({ description: 'Why no shard can be claimed, most often because the database does not answer' }),
  resting: Type.Array(Type.Object({
    shard: Type.Integer(),
    reason: Type.String({ description: 'Why its last step failed' }),
    failures: Type.Integer({ description: 'How often, one after the other' })
  }), { description: 'Shards that are tried again after a rest' })
})

export const Status = Type.Object({
  as_of: Time({ description: 'All but worker is of this one state of the database' }),
  attention: Type.Array(Type.Object({
    code: Type.String({ description: 'parked, outdated, lagging (for more than 60 s), log_gap or worker_ended' }),
    detail: Type.String({ description: 'What it is and what to do next, for people' })
  }), { description: 'What a person has to look at; empty where all is well' }),
  projections: Type.Array(Projection),
  rebuild: Type.Array(Type.Object({
    name: Type.String(),
    version: Version('Of the rules that it is folded by'),
    lag_events: Int({ description: 'Events still to fold' })
  }), { description: 'Projections that are folded anew beside the live ones' }),
  quarantine: Type.Object({
    open: Type.Integer({ description: 'Rows that wait' }),
    conflicts: Type.Integer({ description: 'Of these, rows that contradict what is stored (conflict, contradicts_movement): a person decides' }),
    reasons: Type.Array(Type.Object({ reason: Type.String(), open: Type.Integer() }))
  }),
  log: Type.Object({
    events: Int({ description: 'How many are stored' }),
    newest_recorded_at: NullableTime(),
    silence_seconds: NullableSeconds({ description: 'Since then; null on an empty log' }),
    shards: Type.Array(Type.Object({
      shard: Type.Integer(),
      head: Int({ description: 'Position of its newest event; 0 when it is empty' }),
      chain: Type.String({ description: 'Chain value of its newest event; hex' }),
      newest_recorded_at: NullableTime()
    }))
  }),
  worker: Type.Unsafe<null | typeof Worker.static>({ ...Worker, type: ['object', 'null'], description: 'Of this process; null where it has none' })
})
