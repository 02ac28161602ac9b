import type { Scenario } from '../scenario.ts'
import { ingest } from './ingest.ts'

export const scenarios: readonly Scenario[] = [ingest]
