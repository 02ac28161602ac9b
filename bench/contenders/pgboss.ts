import { PgBoss } from 'pg-boss'
import { program, type Contender } from './contender.ts'
import { countBodies } from './count.ts'

export const QUEUE = 'deliveries'

/** A job queue in PostgreSQL: one `send` a delivery. */
export const pgBoss: Contender = {
  name: 'pg-boss send',
  command: program('pgboss.program.ts'),
  async prepare (url) {
    const boss = new PgBoss({ connectionString: url, supervise: false, schedule: false })
    await boss.start()
    // A table of its own, without the indexes of policies that it does not have.
    await boss.createQueue(QUEUE, { partition: true })
    await boss.stop({ graceful: false })
  },
  async count (pool) { return await countBodies(pool, 'pgboss.job', 'data') }
}
