import { setTimeout as pause } from 'node:timers/promises'
import { SimulatorFailure, waitBeforeRetry_ms, type Answer, type Client } from '../client.ts'

const ATTEMPTS = 10
const BACKOFF_MS = 100

/** Reads, and retries while the server is busy. @throws SimulatorFailure read_refused */
export async function ask (client: Client, path: string): Promise<Answer> {
  const answer = await askOrBeRefused(client, path)
  if (answer.status === 200 || answer.status === 404 || answer.status === 504) return answer
  const { detail } = (answer.json ?? {}) as { detail?: unknown }
  const keyHint = isRefusal(answer) ? ' Give an API key of scope read with --key.' : ''
  throw new SimulatorFailure('read_refused', `The server answered ${answer.status} to ${path}: ${typeof detail === 'string' ? detail : 'no reason given'}${keyHint}`)
}

/** The same, but returns any answer. */
export async function askOrBeRefused (client: Client, path: string): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    const answer = await client.get(path)
    if (answer.status !== 503 || attempt === ATTEMPTS) return answer
    await pause(waitBeforeRetry_ms(answer, attempt, BACKOFF_MS))
  }
}

/** True if the API key is missing, unknown or of too small a scope. */
export function isRefusal ({ status }: Answer): boolean {
  return status === 401 || status === 403
}
