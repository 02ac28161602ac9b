/** How many entries an import came to, by what became of them, and how many events it stored. */
export interface Counts {
  /** Told nothing that was known. */
  new: number
  /** Known already: the event was stored before, or another one told the same movement. */
  duplicate: number
  /** Contradicts what is stored: it waits in quarantine, and the stored one stands. */
  conflict: number
  /** Contradicts what is stored, and a person has discarded it before. */
  discarded: number
  /** Rows that move no points, such as those of gift cards. */
  ignored: number
  /** Cannot be read. */
  bad: number
  /** Events that were appended. */
  stored: number
  /** Of those: rows whose time an export cut to the second, so that their place within that second is not known. */
  to_the_second: number
}

/** What can become of an entry, in the order in which people read it. */
export const OUTCOMES = ['new', 'duplicate', 'conflict', 'discarded', 'ignored', 'bad'] as const satisfies ReadonlyArray<keyof Counts>
export type Outcome = typeof OUTCOMES[number]

export function noCounts (): Counts {
  return { new: 0, duplicate: 0, conflict: 0, discarded: 0, ignored: 0, bad: 0, stored: 0, to_the_second: 0 }
}

/** An entry that a person must look at. */
export interface Remark { line: number, what: 'bad' | 'conflict', reason: string }

/** Who is told how an import goes on. What is counted is done, also where the import ends half-way. */
export interface ImportTally {
  counts: Counts
  remark: (remark: Remark) => void
  /** Told of bytes read. */
  progress: (bytes: number) => void
}
