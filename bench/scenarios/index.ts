import type { Scenario } from '../scenario.ts'
import { disk } from './disk.ts'
import { growth } from './growth.ts'
import { ingest } from './ingest.ts'
import { memory } from './memory.ts'
import { reads } from './reads.ts'

// Growth after memory: it goes on with the same log.
export const scenarios: readonly Scenario[] = [ingest, reads, disk, memory, growth]
