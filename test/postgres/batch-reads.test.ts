import { test } from 'tap'
import { batchReads } from '../../src/postgres/batch-reads.ts'

const later = async (): Promise<void> => { await new Promise(resolve => setImmediate(resolve)) }

test('what is asked at once is answered together, each its own', async t => {
  const statements: number[][] = []
  const ask = batchReads<number, string>(async numbers => {
    statements.push(numbers)
    await later()
    return numbers.map(number => `answer ${number}`)
  })
  const numbers = Array.from({ length: 250 }, (_, index) => index)
  t.strictSame(await Promise.all(numbers.map(ask)), numbers.map(number => `answer ${number}`))
  t.strictSame(statements.flat(), numbers, 'each was asked once')
  t.equal(statements.length, 3, 'in as few statements as there is room')
  t.equal(await ask(7), 'answer 7', 'and a lonely one by itself')
  t.strictSame(statements.at(-1), [7])
})

test('what arrives meanwhile is asked next, and no more than two statements are under way', async t => {
  let underWay = 0
  let most = 0
  const ask = batchReads<number, number>(async numbers => {
    most = Math.max(most, ++underWay)
    for (let turn = 0; turn < 5; turn++) await later()
    underWay--
    return numbers
  })
  const answers: Array<Promise<number>> = []
  for (let index = 0; index < 40; index++) {
    answers.push(ask(index))
    await later()
  }
  t.strictSame(await Promise.all(answers), Array.from({ length: 40 }, (_, index) => index))
  t.equal(most, 2)
})

test('a statement that fails fails for those it was asked for, and for no others', async t => {
  const ask = batchReads<string, string>(async words => {
    await later()
    if (words.includes('bad')) throw new Error('the database is away')
    return words
  })
  const together = await Promise.allSettled([ask('good'), ask('bad')])
  t.strictSame(together.map(({ status }) => status), ['rejected', 'rejected'])
  t.equal(await ask('good'), 'good')
})
