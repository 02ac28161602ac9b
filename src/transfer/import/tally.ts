/** The entries of an import by outcome, and how many events it stored. */
export interface Counts {
  /** Their movement or event was not known. */
  new: number
  /** Known already: the event was stored before, or another event has the same movement. */
  duplicate: number
  /** Contradict what is stored: they wait in quarantine, and the stored event stays valid. */
  conflict: number
  /** Contradict what is stored, and a person has discarded them before. */
  discarded: number
  /** Rows that move no points, such as those of gift cards. */
  ignored: number
  /** Cannot be read. */
  bad: number
  /** Rows that do not say which movement they are: they wait in quarantine. */
  set_aside: number
  /** Events that were appended. */
  stored: number
  /** Of those: rows of a type that this version does not know, of which only the balance is read. */
  unknown_type: number
  /** Of those: rows whose time the export cut to the second, so that their order within that second is not known. */
  to_the_second: number
  /** The outcomes by what was read, such as `card transactions`. Lines that cannot be read are no kind of anything. */
  kinds: Record<string, Partial<Record<Outcome, number>>>
}

/** The outcomes of an entry, in the order in which they are reported. */
export const OUTCOMES = ['new', 'duplicate', 'conflict', 'discarded', 'ignored', 'bad'] as const satisfies ReadonlyArray<keyof Counts>
export type Outcome = typeof OUTCOMES[number] | 'set_aside'

export function noCounts (): Counts {
  return { new: 0, duplicate: 0, conflict: 0, discarded: 0, ignored: 0, bad: 0, set_aside: 0, stored: 0, unknown_type: 0, to_the_second: 0, kinds: {} }
}

/** An entry that a person must act on. */
export interface Remark { line: number, what: 'bad' | 'conflict' | 'set aside', reason: string }

/** Receives the progress of an import. What is counted is done, even if the import ends half-way. */
export interface ImportTally {
  counts: Counts
  remark: (remark: Remark) => void
  /** Called with what a file as a whole lacks. */
  warn?: (warning: string) => void
  /** Called with bytes read. */
  progress: (bytes: number) => void
}
