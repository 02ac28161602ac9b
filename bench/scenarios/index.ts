import type { Scenario } from '../scenario.ts'
import { catchUpScenario } from './catch-up.ts'
import { disk } from './disk.ts'
import { duplicates } from './duplicates.ts'
import { growth } from './growth.ts'
import { hot } from './hot.ts'
import { ingest } from './ingest.ts'
import { memory } from './memory.ts'
import { peers } from './peers.ts'
import { reads } from './reads.ts'
import { visible } from './visible.ts'

// Growth after memory: it goes on with the same log.
export const scenarios: readonly Scenario[] = [ingest, peers, hot, duplicates, catchUpScenario, visible, reads, disk, memory, growth]
