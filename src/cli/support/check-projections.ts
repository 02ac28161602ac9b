import type { Finding } from '../../audit/finding.ts'
import { projections } from '../../projections/index.ts'
import { LogGap } from '../../engine/read-batches.ts'
import { StepFailed } from '../../engine/step.ts'
import { verifyProjections, type ProjectionFinding } from '../../engine/rebuild/verify.ts'
import { readLogSize } from '../../audit/log.sql.ts'
import { withDatabase } from '../../app/open.ts'
import type { Check } from './check.ts'

const UNPLACED = { shard: null, position: null, event_id: null, subject: null }

/** Compares every projection with a fold of the log into temporary tables. */
export const folded: Check = {
  name: 'projections',
  async run ({ config, db, found, foundMore, limit, progress }) {
    const began = performance.now()
    const bar = progress('folding the log anew', Number(await readLogSize(db)))
    let events = 0
    // In temporary tables. Beside them it only reads, but a session that makes tables cannot be read-only.
    await withDatabase(config, async database => {
      await verifyProjections(database.connect({ projectionSchema: 'pg_temp' }).db, projections, {
        batch: config.PROJECTION_BATCH_EVENTS,
        limit,
        found: finding => { found(findingOf(finding)) },
        unnamed: count => { foundMore('PROJECTION_MISMATCH', count) },
        onStep (stepped) {
          events += stepped.events
          bar.add(stepped.events)
        }
      }).catch((error: unknown) => {
        if (!(error instanceof StepFailed) && !(error instanceof LogGap)) throw error
        found({ ...UNPLACED, code: 'PROJECTION_UNCOMPARED', shard: error instanceof StepFailed ? error.shard : null, detail: `the projections were not compared: ${error.message}` })
      })
    })
    const seconds = (performance.now() - began) / 1000
    const events_per_second = Math.round(events / seconds)
    return {
      counts: { events, seconds: Math.round(seconds * 1000) / 1000, events_per_second },
      line: `projections: ${events} events folded anew and every row compared; ${seconds.toFixed(1)} s, ${events_per_second} events/s`
    }
  }
}

function findingOf (finding: ProjectionFinding): Finding {
  const { code, projection } = finding
  switch (code) {
    case 'PROJECTION_MISMATCH': {
      const { table, about, only_first, only_second, changed } = finding.difference
      const rows = [[only_first, 'that come from no event'], [only_second, 'missing'], [changed, 'with other values']].filter(([count]) => count !== 0n)
      return { ...UNPLACED, code, subject: `${entityOf(projection)}:${about}`, detail: `${table}: ${rows.map(([count, what]) => `${count} row(s) ${what}`).join(', ')}` }
    }
    case 'PROJECTION_PARKED': {
      const { shard, position, event_id, subject, key, reason, waiting } = finding.parked
      return { code, shard, position, event_id, subject, detail: `${key} is parked with ${waiting} event(s) waiting, because this one could not be folded: ${reason}` }
    }
    case 'CHECKPOINT_AHEAD': {
      const { shard, position, head } = finding
      return { ...UNPLACED, code, shard, position, subject: projection, detail: `the checkpoint of ${projection} is at ${position}, but the log ends at ${head}: the events stored next would never be folded` }
    }
    case 'PROJECTION_OUTDATED': {
      const { version, live } = finding
      const stands = live === undefined ? 'has no rows yet' : `was folded by version ${live} of its rules`
      return { ...UNPLACED, code, subject: projection, detail: `${projection} ${stands}, this is version ${version}: rebuild it, then compare` }
    }
  }
}

function entityOf (projection: string): string {
  return projections.find(({ name }) => name === projection)?.entity ?? projection
}
