/** Where a command writes: its result as text for people or JSON for programs; its progress separately. */
export interface Output {
  json: boolean
  result: (text: string) => void
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
    progress: line => { process.stderr.write(`${line}\n`) }
  }
}

/** Prints a result: as JSON if that was asked for, else as text. */
export function say (output: Output, value: unknown, text: string): void {
  output.result(output.json ? JSON.stringify(value, exactly) : text)
}

/** Counts and points as JSON integers; as text if they are not safe integers of JavaScript. */
function exactly (_key: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value.toString()
}

/** Columns as wide as their widest cell. */
export function table (head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map(row => row[column]?.length ?? 0)))
  return [head, ...rows]
    .map(row => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd())
    .join('\n')
}
