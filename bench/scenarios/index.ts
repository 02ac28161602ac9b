import type { Scenario } from '../scenario.ts'
import { catchUpScenario } from './catch-up.ts'
import { ingest } from './ingest.ts'
import { visible } from './visible.ts'

export const scenarios: readonly Scenario[] = [ingest, catchUpScenario, visible]
