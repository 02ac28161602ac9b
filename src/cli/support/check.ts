import type { Anchor } from '../../audit/anchor.ts'
import type { ReportFinding } from '../../audit/finding.ts'
import type { Config } from '../../config.ts'
import type { Db } from '../../postgres/database.ts'
import type { Progress } from './progress.ts'

/** What a check is given. */
export interface Audit {
  db: Db
  config: Config
  /** Differences that are named, at most, of each kind. */
  limit: number
  against: Anchor | undefined
  found: ReportFinding
  /** Shows a bar over so many things, until the next one. */
  progress: (what: string, total: number) => Progress
}

/** One thing that is verified: what it looked at, in numbers, and as a line for people. */
export interface Check {
  name: 'log' | 'projections'
  run: (audit: Audit) => Promise<{ counts: object, line: string }>
}
