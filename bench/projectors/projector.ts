import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { MakeOptions } from '../load/deliveries.ts'
import type { Log } from './log.ts'

/** A log folded from its first event to its last. */
export interface Folded {
  events: number
  /** From the first read to the last commit; connecting and making tables is not counted. */
  seconds: number
}

/** Something that folds a stored log. Its module exports it as `projector`, and a process of its own runs it. */
export interface Projector {
  name: string
  /** `import.meta.url` of the module that exports it. */
  module: string
  log: Log
  fold: (url: string) => Promise<Folded>
  /** What it has made of the log, as SQL: `card_id, balance, movements`. Undefined where it writes nothing. */
  cards?: string
}

export interface Measured extends Folded {
  /** Events a second. */
  rate: number
  /** Of its own process; what PostgreSQL used for it is not in it. */
  cpu_seconds: number
}

/** A projector's process: it stays, so that from the second log on its code is as warm as that of a long run. */
export interface RunningProjector {
  /** Stores deliveries in its log, in its own process: libraries change the driver's settings for all of theirs. @returns how many events */
  store: (url: string, options: MakeOptions) => Promise<number>
  fold: (url: string) => Promise<Measured>
  stop: () => Promise<void>
}

/** What the process of a projector is asked to do, and what it answers. */
export type Question = { store: string, options: MakeOptions } | { fold: string }
export type Answer = { stored: number } | { folded: Folded, cpu_seconds: number } | { error: string }

const HOST = fileURLToPath(new URL('host.program.ts', import.meta.url))

export function startProjector ({ name, module }: Projector): RunningProjector {
  const child = fork(HOST, [module], { execArgv: ['--import', 'tsx'] })
  async function ask (question: Question): Promise<Exclude<Answer, { error: string }>> {
    const answered = answerOf(child)
    child.send(question)
    const answer = await answered
    if ('error' in answer) throw new Error(`${name}: ${answer.error}`)
    return answer
  }

  return {
    async store (url, options) {
      const answer = await ask({ store: url, options })
      return 'stored' in answer ? answer.stored : 0
    },
    async fold (url) {
      const answer = await ask({ fold: url })
      if (!('folded' in answer)) throw new Error(`${name} did not fold`)
      const { folded, cpu_seconds } = answer
      return { ...folded, cpu_seconds, rate: folded.events / folded.seconds }
    },
    async stop () {
      if (child.exitCode !== null) return
      const ended = once(child, 'exit')
      child.disconnect()
      await ended
    }
  }
}

async function answerOf (child: ChildProcess): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const ended = (code: number | null): void => { reject(new Error(`the process of a projector ended with ${code}`)) }
    child.once('exit', ended)
    child.once('message', answer => {
      child.off('exit', ended)
      resolve(answer as Answer)
    })
  })
}
