import type { Anchor } from '../../audit/anchor.ts'
import type { FindingCode, ReportFinding } from '../../audit/finding.ts'
import type { Config } from '../../config.ts'
import type { Db } from '../../postgres/database.ts'
import type { Progress } from './progress.ts'

/** The arguments of a check. */
export interface Audit {
  db: Db
  config: Config
  /** At most so many differences of each kind are named. */
  limit: number
  against: Anchor | undefined
  found: ReportFinding
  /** Counts differences that are not named. */
  foundMore: (code: FindingCode, count: bigint) => void
  /** Shows a progress bar over `total` things, in place of the one before. */
  progress: (what: string, total: number) => Progress
}

/** One part of `verify`. Returns its counts, and a line about them for people. */
export interface Check {
  name: 'log' | 'projections'
  run: (audit: Audit) => Promise<{ counts: object, line: string }>
}
