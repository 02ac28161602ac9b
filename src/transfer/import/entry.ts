import type { Provider } from '../../providers/provider.ts'
import type { Exported } from '../export/format.ts'

/**
 * One delivery out of a file, or why there is none at that place. `provider`: whose it is; absent: the first
 * provider's. `to_the_second`: a row of an export whose time has no fraction of a second. `exported`: what an export of
 * a ledger says of the event.
 */
export type Entry =
  | { line: number, bytes: number, body: Buffer, provider?: Provider, to_the_second?: boolean, exported?: Exported }
  | { line: number, bytes: number, bad: string }
  /** No delivery: something that the file as a whole lacks. */
  | { line: number, bytes: number, warning: string }

/** A file does not have the format that it begins with. The message says what to do. */
export class UnreadableFile extends Error {
  override name = 'UnreadableFile'
  readonly code = 'file_unreadable'
}
