import type { Scenario } from '../scenario.ts'
import { ingest } from './ingest.ts'
import { peers } from './peers.ts'

export const scenarios: readonly Scenario[] = [ingest, peers]
