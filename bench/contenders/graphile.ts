import { runMigrations } from 'graphile-worker'
import { program, type Contender } from './contender.ts'
import { countBodies } from './count.ts'

/** A job queue in PostgreSQL: one `addJob` a delivery. */
export const graphileWorker: Contender = {
  name: 'graphile-worker addJob',
  command: program('graphile.program.ts'),
  async prepare (url) { await runMigrations({ connectionString: url }) },
  async count (pool) { return await countBodies(pool, 'graphile_worker._private_jobs', 'payload') }
}
