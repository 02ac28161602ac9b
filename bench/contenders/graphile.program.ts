import { makeWorkerUtils } from 'graphile-worker'
import { serve } from './app.ts'

const worker = await makeWorkerUtils({ connectionString: process.env.DATABASE_URL ?? '', maxPoolSize: 10 })

await serve(async ({ event_id, json }) => {
  // The mode that leaves a job alone once it is there, and goes through one insert: `replace` reaches 0.6 of it.
  await worker.addJob('project', json, { jobKey: event_id, jobKeyMode: 'unsafe_dedupe' })
})
