/** Statements that run at the same time. */
const LANES = 2
/** Questions that one statement answers at most. */
const BATCH_QUESTIONS = 100

interface Asked<Question, Answer> {
  question: Question
  resolve: (answer: Answer) => void
  reject: (reason: unknown) => void
}

/**
 * Answers questions that are asked at the same time with one statement, without a timer: a free lane takes what has
 * arrived, and what arrives meanwhile is its next batch. A single question does not wait; many share the cost of one
 * statement.
 *
 * Not `dataloader`: it sends what one turn of the event loop gathers, however many statements are running. Under load,
 * when it matters, the batches are then small and the statements many.
 * @param answer returns one answer a question, in order; an error is the answer to all of them
 */
export function batchReads<Question, Answer> (answer: (questions: Question[]) => Promise<readonly Answer[]>): (question: Question) => Promise<Answer> {
  const queue: Array<Asked<Question, Answer>> = []
  let lanes = 0

  async function runLane (): Promise<void> {
    // One turn of the event loop gathers what was read from the network together.
    await new Promise(resolve => setImmediate(resolve))
    while (queue.length > 0) await answerBatch(queue.splice(0, BATCH_QUESTIONS))
    lanes--
  }

  async function answerBatch (batch: ReadonlyArray<Asked<Question, Answer>>): Promise<void> {
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
    void runLane()
  })
}
