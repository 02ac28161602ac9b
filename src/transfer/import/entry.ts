import type { Exported } from '../export/format.ts'

/**
 * One delivery out of a file, or why a line is none. `to_the_second`: a row of an export whose time has no fraction of a second.
 * `exported`: the fields that an export of a ledger adds to the event.
 */
export type Entry =
  | { line: number, bytes: number, body: Buffer, to_the_second?: boolean, exported?: Exported }
  | { line: number, bytes: number, bad: string }

/** A file does not have the format that it begins with. The message says what to do. */
export class UnreadableFile extends Error {
  override name = 'UnreadableFile'
  readonly code = 'file_unreadable'
}
