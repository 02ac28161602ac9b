import { once } from 'node:events'

/** Where a command writes: its result as text for people or JSON for programs; its progress separately. */
export interface Output {
  json: boolean
  result: (text: string) => void
  /** A part of a result; settles once the reader keeps up, so that what waits to be read does not fill memory. */
  write: (part: string) => Promise<void>
  progress: (line: string) => void
}

export function createOutput (json: boolean): Output {
  // The reader has closed its end (`… | head`): there is nobody to write for.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
  return {
    json,
    result: text => { process.stdout.write(`${text}\n`) },
    write: async part => { if (!process.stdout.write(part)) await once(process.stdout, 'drain') },
    progress: line => { process.stderr.write(`${line}\n`) }
  }
}

/** Prints a result: as JSON if that was asked for, else as text. */
export function writeResult (output: Output, value: unknown, text: string): void {
  output.result(output.json ? toJson(value) : text)
}

/** How a list is written. */
export interface ListForm<Row> {
  /** A row as JSON carries it. */
  item: (row: Row) => unknown
  head: readonly string[]
  /** A row as the cells of a table. */
  cells: (row: Row) => readonly string[]
  /** The text of an empty list. */
  empty: string
}

/** Rows in memory at a time. */
const PAGE_ROWS = 500

/**
 * Writes a list of any length, page by page: as `{"items":[…]}`, or as a table whose columns grow when a later page
 * needs it. JSON that a failure cuts short does not parse, and the command fails.
 */
export async function writeList<Row> (output: Output, rows: AsyncIterable<Row>, form: ListForm<Row>): Promise<void> {
  const writePage = output.json ? jsonPages(output, form) : tablePages(output, form)
  let page: Row[] = []
  let empty = true
  for await (const row of rows) {
    empty = false
    page.push(row)
    if (page.length < PAGE_ROWS) continue
    await writePage(page)
    page = []
  }
  if (page.length > 0) await writePage(page)
  if (output.json) await output.write(empty ? '{"items":[]}\n' : ']}\n')
  else if (empty) await output.write(`${form.empty}\n`)
}

function jsonPages<Row> (output: Output, { item }: ListForm<Row>): (page: readonly Row[]) => Promise<void> {
  let before = '{"items":['
  return async page => {
    await output.write(before + page.map(row => toJson(item(row))).join(','))
    before = ','
  }
}

function tablePages<Row> (output: Output, { head, cells }: ListForm<Row>): (page: readonly Row[]) => Promise<void> {
  let widths: number[] = []
  return async page => {
    const first = widths.length === 0
    const rows = [...(first ? [head] : []), ...page.map(cells)]
    widths = widthsOf(rows, widths)
    await output.write(`${aligned(rows, widths)}\n`)
  }
}

function toJson (value: unknown): string {
  return JSON.stringify(value, exactly)
}

/** Counts and points as JSON integers; as text if they are not safe integers of JavaScript. */
function exactly (_key: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value.toString()
}

/** Columns as wide as their widest cell. */
export function table (head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const all = [head, ...rows]
  return aligned(all, widthsOf(all, []))
}

function widthsOf (rows: ReadonlyArray<readonly string[]>, atLeast: readonly number[]): number[] {
  const widths = [...atLeast]
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length)
  }
  return widths
}

function aligned (rows: ReadonlyArray<readonly string[]>, widths: readonly number[]): string {
  return rows.map(row => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()).join('\n')
}
