import type { Scenario } from '../scenario.ts'
import { catchUpScenario } from './catch-up.ts'
import { duplicates } from './duplicates.ts'
import { hot } from './hot.ts'
import { ingest } from './ingest.ts'
import { peers } from './peers.ts'
import { visible } from './visible.ts'

export const scenarios: readonly Scenario[] = [ingest, peers, hot, duplicates, catchUpScenario, visible]
