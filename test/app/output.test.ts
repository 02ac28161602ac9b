import { test } from 'tap'
import { writeList, table, type ListForm, type Output } from '../../src/app/output.ts'

interface Row { id: number, points: bigint }

const form: ListForm<Row> = { item: row => row, head: ['id', 'points'], cells: ({ id, points }) => [String(id), String(points)], empty: 'Nothing.' }

/** An output that notes at each part how many rows had been read. */
function openOutput (json: boolean) {
  const rows = { read: 0 }
  const parts: Array<{ part: string, read: number }> = []
  const output: Output = {
    json,
    result () {},
    progress () {},
    async write (part) { parts.push({ part, read: rows.read }) }
  }
  async function * read (count: number): AsyncGenerator<Row> {
    for (let id = 1; id <= count; id++) {
      rows.read = id
      yield { id, points: BigInt(id) ** 2n }
    }
  }
  return { output, parts, read, text: () => parts.map(({ part }) => part).join('') }
}

test('a long list is written while it is read: no more than a page of it waits', async t => {
  for (const json of [true, false]) {
    const { output, parts, read } = openOutput(json)
    await writeList(output, read(100_000), form)
    const counted = parts.map(({ part, read }) => ({ read, written: json ? part.split('"id"').length - 1 : part.split('\n').length - 1 }))
    let written = json ? 0 : -1
    for (const part of counted) {
      written += part.written
      if (part.read - written > 0) t.fail(`${part.read} read, ${written} written`)
    }
    t.equal(written, 100_000)
    t.equal(parts[0]?.read, 500, 'the first part is written before the second page is read')
  }
})

test('as JSON it has one shape, whatever its length', async t => {
  for (const count of [0, 1, 499, 500, 501, 1_200]) {
    const { output, read, text } = openOutput(true)
    await writeList(output, read(count), form)
    t.strictSame(JSON.parse(text()), { items: Array.from({ length: count }, (_, index) => ({ id: index + 1, points: (index + 1) ** 2 })) }, `${count} rows`)
    t.ok(text().endsWith('}\n'))
  }
})

test('as text a list of one page is the table of it; later pages go on below, their columns as wide or wider', async t => {
  const short = openOutput(false)
  await writeList(short.output, short.read(3), form)
  t.equal(short.text(), `${table(['id', 'points'], [['1', '1'], ['2', '4'], ['3', '9']])}\n`)
  const empty = openOutput(false)
  await writeList(empty.output, empty.read(0), form)
  t.equal(empty.text(), 'Nothing.\n')
  const long = openOutput(false)
  await writeList(long.output, long.read(1_200), form)
  const lines = long.text().trimEnd().split('\n')
  t.equal(lines.length, 1_201, 'one head')
  t.equal(lines[1], '1    1', 'an id of three digits is the widest of the first page')
  t.equal(lines[500], '500  250000')
  t.equal(lines[501], '501   251001', 'the second page has an id of four digits')
})

test('what is written waits for the reader', async t => {
  const { output, read } = openOutput(true)
  let release = (): void => {}
  let parts = 0
  output.write = async () => {
    parts++
    await new Promise<void>(resolve => { release = resolve })
  }
  const said = writeList(output, read(1_000), form)
  for (let part = 1; part <= 3; part++) {
    while (parts < part) await new Promise(setImmediate)
    for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate)
    t.equal(parts, part, 'nothing further is written meanwhile')
    release()
  }
  await said
})
