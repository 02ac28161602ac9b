import { open, stat } from 'node:fs/promises'
import { parseInstant, type Instant } from '../../ledger/instant.ts'
import { knownProviders, type Providers } from '../../providers/index.ts'
import { csvEntries } from './csv.ts'
import { UnreadableFile, type Entry } from './entry.ts'
import { exportedEntries, isExportedLedger } from './exported.ts'
import { isPage } from './json-pages.ts'
import { ndjsonEntries } from './ndjson.ts'
import { pageEntries, withObjects } from './objects.ts'

/** A file to import. */
export interface ImportSource {
  file: string
  bytes: number
  /** Reads the file from its start, each time anew. Memory does not grow with the file. */
  entries: () => AsyncIterable<Entry>
  /** True for an export of a ledger: its events keep the time at which they were first stored. */
  restores: boolean
}

/** Enough to recognise the format; the first line of an export has some 200 bytes. */
const HEAD_BYTES = 4096
const BYTE_ORDER_MARK = Buffer.from('\ufeff')
/** The first bytes of gzip and zip files. */
const COMPRESSED = [Buffer.from([0x1f, 0x8b]), Buffer.from('PK\u0003\u0004')]
const UTF_16 = [Buffer.from([0xff, 0xfe]), Buffer.from([0xfe, 0xff])]

/**
 * Recognises a file by how it begins: an export of a ledger by its name, pages of the provider's API as lists, lines of
 * deliveries and objects by a brace; anything else is the head of a table.
 * @param limit_bytes of one delivery
 * @throws UnreadableFile if it is none of these
 */
export async function openSource (file: string, limit_bytes: number, providers: Providers = knownProviders): Promise<ImportSource> {
  const { bytes, head, written_at } = await readHead(file)
  if (COMPRESSED.some(mark => startsWith(head, mark))) throw new UnreadableFile(`${file} is compressed. Unpack it first.`)
  if (UTF_16.some(mark => startsWith(head, mark))) throw new UnreadableFile(`${file} is UTF-16. Save it as UTF-8, or take the export as the provider made it.`)
  const start = startsWith(head, BYTE_ORDER_MARK) ? BYTE_ORDER_MARK.length : 0
  const text = head.toString('utf8', start).trimStart()
  if (text === '' && bytes <= HEAD_BYTES) throw new UnreadableFile(`${file} is empty: there are no rows in it. Leave it out, or export it again.`)
  if (text.startsWith('[')) throw new UnreadableFile(`${file} is one JSON list. What can be read is one delivery a line; \`jq -c '.[]'\` makes that of it.`)
  if (isExportedLedger(file, text)) return { file, bytes, restores: true, entries: () => exportedEntries(file) }
  if (isPage(text)) return { file, bytes, restores: false, entries: () => pageEntries(file, { providers, start, limit_bytes }) }
  if (text.startsWith('{')) return { file, bytes, restores: false, entries: () => withObjects(ndjsonEntries(file, { start, limit_bytes }), providers) }
  refuseOtherSeparators(file, text)
  return { file, bytes, restores: false, entries: () => csvEntries(file, { providers, start, written_at }) }
}

async function readHead (file: string): Promise<{ bytes: number, head: Buffer, written_at: Instant | undefined }> {
  // One pass would have to write before it is known that the rest can be read.
  const needed = 'a file is needed, since it is read twice: first to see that every line can be read, then to take it in.'
  if (file === '-') throw new UnreadableFile(`Standard input cannot be imported: ${needed}`)
  try {
    const stats = await stat(file)
    if (!stats.isFile()) throw new UnreadableFile(`${file} cannot be imported: ${needed}`)
    const handle = await open(file)
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0)
      return { bytes: stats.size, head: buffer.subarray(0, bytesRead), written_at: parseInstant(stats.mtime.toISOString()) }
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (error instanceof UnreadableFile) throw error
    throw new UnreadableFile(`${file} cannot be read: ${(error as Error).message}.`, { cause: error })
  }
}

function refuseOtherSeparators (file: string, text: string): void {
  const head = /^.*/.exec(text)?.[0] ?? ''
  if (head.includes(',')) return
  const separator = head.includes(';') ? ';' : head.includes('\t') ? 'tabs' : undefined
  if (separator !== undefined) throw new UnreadableFile(`${file}: the columns are separated by ${separator}, as a spreadsheet saves them. Take the export as the provider made it, with commas.`)
}

function startsWith (bytes: Buffer, mark: Buffer): boolean {
  return bytes.subarray(0, mark.length).equals(mark)
}
