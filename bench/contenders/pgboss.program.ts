import { PgBoss } from 'pg-boss'
import { serve } from './app.ts'
import { uuidOf } from './identity.ts'
import { QUEUE } from './pgboss.ts'

// It only sends: migrations, maintenance and schedules are for a process that works.
const boss = new PgBoss({ connectionString: process.env.DATABASE_URL ?? '', max: 10, migrate: false, supervise: false, schedule: false })
boss.on('error', error => { console.error(error) })
await boss.start()

await serve(async ({ event_id, json }) => {
  // Of a job whose id is taken nothing comes back: a duplicate, for as long as the queue keeps the job.
  await boss.send(QUEUE, json, { id: uuidOf(event_id) })
})
