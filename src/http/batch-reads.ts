/** Statements under way at once. */
const LANES = 2
/** What one statement is asked at most. */
const MOST = 100

interface Waiting<Question, Answer> {
  question: Question
  resolve: (answer: Answer) => void
  reject: (reason: unknown) => void
}

/**
 * Lets questions that are asked at the same time be answered together, without a timer: a free lane takes what has arrived, and
 * what arrives meanwhile is asked next. A lonely question does not wait; many share what one statement costs.
 * @param answer one answer a question, in order; its failure is that of all of them
 */
export function batchReads<Question, Answer> (answer: (questions: Question[]) => Promise<readonly Answer[]>): (question: Question) => Promise<Answer> {
  const queue: Array<Waiting<Question, Answer>> = []
  let lanes = 0

  async function run (): Promise<void> {
    // One turn of the event loop gathers what was read from the network together.
    await new Promise(resolve => setImmediate(resolve))
    for (let batch = queue.splice(0, MOST); batch.length > 0; batch = queue.splice(0, MOST)) await answerBatch(batch)
    lanes--
  }

  async function answerBatch (batch: ReadonlyArray<Waiting<Question, Answer>>): Promise<void> {
    try {
      const answers = await answer(batch.map(({ question }) => question))
      batch.forEach(({ resolve }, index) => { resolve(answers[index] as Answer) })
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }

  return async question => await new Promise((resolve, reject) => {
    queue.push({ question, resolve, reject })
    if (lanes === LANES) return
    lanes++
    void run()
  })
}
