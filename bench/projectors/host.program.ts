// The process of a projector: stores and folds as it is told.
import { eachDelivery } from '../load/deliveries.ts'
import type { Answer, Projector, Question } from './projector.ts'

const { projector } = await import(process.argv[2] as string) as { projector: Projector }

process.on('message', (question: Question) => {
  answer(question).catch((error: unknown): Answer => ({ error: String((error as Error).stack) })).then(answer => process.send?.(answer))
})

async function answer (question: Question): Promise<Answer> {
  if ('store' in question) return { stored: await projector.log.store(question.store, eachDelivery(question.options, new Map())) }
  const before = process.cpuUsage()
  const folded = await projector.fold(question.fold)
  const { user, system } = process.cpuUsage(before)
  return { folded, cpu_seconds: (user + system) / 1e6 }
}
