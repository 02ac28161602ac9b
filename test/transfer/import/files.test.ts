import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { test } from 'tap'
import { checkEntries, skimEntries } from '../../../src/transfer/import/import.ts'
import { openSource } from '../../../src/transfer/import/source.ts'
import { noCounts, type Counts, type Remark, type ImportTally } from '../../../src/transfer/import/tally.ts'
import type { Entry } from '../../../src/transfer/import/entry.ts'
import { awardData } from '../../support/deliveries.ts'

const HEAD = 'id,campaign_id,voucher_id,type,source_id,reason,source,balance,amount,related_transaction_id,created_at,details'

function line (id: string, options: { reason?: string, amount?: string, details?: string } = {}): string {
  const { reason = '', amount = '1', details = '' } = options
  return `${id},camp_1,v_1,POINTS_ADDITION,,${reason},API,,${amount},,2026-01-01T10:00:00.000Z,${details}`
}

interface Read { counts: Counts, remarks: Remark[], bodies: string[], bytes: number }

/** Reads a file as the command does before it writes. */
async function read (t: { testdirName: string }, content: string | Buffer, name = 'file'): Promise<Read> {
  const file = join(t.testdirName, name)
  writeFileSync(file, content)
  const source = await openSource(file, 100_000)
  const read: Read = { counts: noCounts(), remarks: [], bodies: [], bytes: 0 }
  const tally: ImportTally = { counts: read.counts, remark: remark => { read.remarks.push(remark) }, progress: bytes => { read.bytes += bytes } }
  async function * watched (): AsyncGenerator<Entry> {
    for await (const entry of source.entries()) {
      if ('body' in entry) read.bodies.push(String(entry.body))
      yield entry
    }
  }
  await checkEntries(watched(), tally)
  return read
}

test('a file that is not what can be imported is refused, and the message says what to do', async t => {
  t.testdir({})
  const rows = `${HEAD}\n${line('vtx_1')}\n`
  const refused: Array<[what: string, content: string | Buffer, message: RegExp]> = [
    ['empty', '', /no rows/],
    ['blank lines', '\n \n', /no rows/],
    ['a head and nothing else', `${HEAD}\n`, /no rows/],
    ['one column twice', `${HEAD},Amount\n${line('vtx_1')},2\n`, /the column amount is there twice/],
    ['without details', rows.replaceAll(',details', '').replace(/,\n$/, '\n'), /the column details is missing/],
    ['semicolons', rows.replaceAll(',', ';'), /separated by ;/],
    ['tabs', rows.replaceAll(',', '\t'), /separated by tabs/],
    ['compressed', gzipSync(rows), /[Uu]npack it/],
    ['zipped', 'PK\u0003\u0004…', /[Uu]npack it/],
    ['UTF-16', Buffer.from(`\ufeff${rows}`, 'utf16le'), /UTF-16/],
    ['a list of deliveries', JSON.stringify([awardData()]), /one delivery a line/]
  ]
  for (const [what, content, message] of refused) await t.rejects(read(t, content), { name: 'UnreadableFile', code: 'file_unreadable', message }, what)
  await t.rejects(openSource('-', 1000), { code: 'file_unreadable', message: /a file is needed.* read twice/ }, 'standard input')
  await t.rejects(openSource('/dev/stdin', 1000), { code: 'file_unreadable', message: /a file is needed.* read twice/ }, 'a pipe')
  await t.rejects(openSource(t.testdirName, 1000), { code: 'file_unreadable', message: /a file is needed/ }, 'a folder')
  await t.rejects(openSource(join(t.testdirName, 'nowhere'), 1000), { code: 'file_unreadable', message: /nowhere cannot be read/ })
})

test('a quote that is never closed ends the reading, and names the line where it began, also where bad lines are skipped', async t => {
  t.testdir({})
  const many = Array.from({ length: 30_000 }, (_, index) => line(`vtx_${index + 10}`))
  const open = line('vtx_3', { reason: '"never closed' })
  for (const [what, lines] of [
    ['at the end', [HEAD, line('vtx_1'), line('vtx_2'), open]],
    ['before many rows', [HEAD, line('vtx_1'), line('vtx_2'), open, ...many]],
    ['before a cell with quotes', [HEAD, line('vtx_1'), line('vtx_2'), open, line('vtx_4'), line('vtx_5', { details: '"{""a"":1}"' }), line('vtx_6')]],
    ['after blank lines', [HEAD, '', line('vtx_1'), open]]
  ] as const) {
    const content = `${lines.join('\r\n')}\r\n`
    await t.rejects(read(t, content), { code: 'file_unreadable', message: /file:4: .*quote/ }, what)
    const { entries } = await openSource(join(t.testdirName, 'file'), 1000)
    await t.rejects(skimEntries(entries(), { counts: noCounts(), remark () {}, progress () {} }), { code: 'file_unreadable' }, what)
  }
})

test('line ends may be of any sort, also mixed, and a mark at the start is no part of the first name', async t => {
  t.testdir({})
  for (const [head, end] of [['\r\n', '\n'], ['\n', '\r\n'], ['\r', '\r'], ['\r\n', '\r\n']] as const) {
    const content = `\ufeff"id"${HEAD.slice(2)}${head}${line('vtx_1')}${end}${line('vtx_2', { amount: 'x' })}${end}${line('vtx_3')}${end}`
    const { bodies, remarks, bytes } = await read(t, content)
    t.match(bodies.map(body => (JSON.parse(body) as { row: { id: string } }).row.id), ['vtx_1', 'vtx_2', 'vtx_3'], JSON.stringify([head, end]))
    t.match(remarks, [{ line: 3, what: 'bad', reason: /amount/ }])
    t.ok(bytes > Buffer.byteLength(content) - 10 && bytes <= Buffer.byteLength(content), 'the bar comes to its end')
  }
  t.match(await read(t, `\ufeff${JSON.stringify(awardData())}\n`), { counts: { bad: 0 }, bodies: [JSON.stringify(awardData())] })
})

test('what is not UTF-8 is bad, never stored with the sign for unknown', async t => {
  t.testdir({})
  const rows = Buffer.from([HEAD, line('vtx_1', { reason: 'für Käthe €' }), line('vtx_2'), ''].join('\n'))
  t.match(await read(t, rows), { counts: { bad: 0 }, bodies: [/"reason":"für Käthe €"/, /vtx_2/] })
  const latin = Buffer.from([HEAD, line('vtx_1', { reason: 'für Käthe' }), line('vtx_2'), ''].join('\n'), 'latin1')
  t.match(await read(t, latin), { counts: { bad: 1 }, remarks: [{ line: 2, reason: /the column reason is not UTF-8/ }], bodies: [/vtx_2/] })
  const delivery = Buffer.from(JSON.stringify({ ...awardData(), note: 'für' }), 'latin1')
  t.match(await read(t, delivery), { counts: { bad: 1 }, remarks: [{ line: 1, reason: /not_utf8/ }] })
})
