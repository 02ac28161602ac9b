import { setTimeout as pauseFor } from 'node:timers/promises'
import { PullFailed, type ApiAnswer, type ApiCall, type ApiCredentials, type PullSide, type Verdict } from '../providers/pull.ts'
import { backoff_ms } from '../postgres/retry.ts'

/** How many calls may be made. */
export interface CallBudget { per_minute: number, per_run: number }

/** Where a provider's API is, and the key for it. */
export interface ApiAccess extends ApiCredentials { url: string }

/** What calls need of the process; tests bring their own. */
export interface CallSurroundings {
  fetch: typeof fetch
  /** Rejects when `stop` does. */
  pause: (ms: number) => Promise<unknown>
  now_ms: () => number
  timeout_ms: number
}

/** Makes calls, and counts them. */
export interface Caller { call: ApiCall, made: () => number }

const ATTEMPTS = 6
const BACKOFF = { base_ms: 1000, max_ms: 60_000 }
const TIMEOUT_MS = 30_000
const MINUTE_MS = 60_000
/** The longest wait that an answer can ask for: the smallest plan counts calls by the hour. */
const PATIENCE_SECONDS = 3600

/** What a process brings. @param stop ends pauses and calls */
export function processSurroundings (stop?: AbortSignal): CallSurroundings {
  return {
    fetch: stop === undefined ? fetch : async (input, init) => await fetch(input, { ...init, signal: AbortSignal.any([stop, ...init?.signal == null ? [] : [init.signal]]) }),
    pause: async ms => await pauseFor(ms, undefined, stop === undefined ? {} : { signal: stop }),
    now_ms: () => performance.now(),
    timeout_ms: TIMEOUT_MS
  }
}

/**
 * Makes calls to a provider's API one after the other, within a budget. What may pass is tried again: after the time
 * that the answer names, else after pauses that grow.
 */
export function createCaller (pull: PullSide, { url, ...credentials }: ApiAccess, budget: CallBudget, surroundings: CallSurroundings): Caller {
  const { pause, now_ms } = surroundings
  const headers = { accept: 'application/json', ...pull.headersFor(credentials) }
  /** When the calls of the last minute were made. */
  let recent: number[] = []
  let made = 0

  async function awaitTurn (): Promise<void> {
    if (made >= budget.per_run) {
      throw new PullFailed('api_budget_spent', `This run has made its ${budget.per_run} calls (RECONCILE_CALLS_PER_RUN). What it read is stored: run it again, and it continues.`)
    }
    recent = recent.filter(at => at > now_ms() - MINUTE_MS)
    const first = recent[0]
    if (recent.length >= budget.per_minute && first !== undefined) await pause(first + MINUTE_MS - now_ms())
    recent.push(now_ms())
    made++
  }

  async function attempt (path: string): Promise<{ answer?: ApiAnswer, verdict: Verdict }> {
    await awaitTurn()
    try {
      const answer = await ask(`${url}${path}`, headers, surroundings)
      return { answer, verdict: pull.judge(answer) }
    } catch (error) {
      const detail = `The API at ${url} does not answer: ${reasonOf(error)}. Is ${pull.settings.url} right, and is the way there open?`
      return { verdict: { verdict: 'later', after_seconds: null, code: 'api_unavailable', detail } }
    }
  }

  return {
    made: () => made,
    async call ({ path }) {
      for (let tries = 1; ; tries++) {
        const { answer, verdict } = await attempt(path)
        if (verdict.verdict === 'answered') return answer
        if (verdict.verdict === 'absent') return undefined
        if (verdict.verdict === 'end') throw new PullFailed(verdict.code, verdict.detail)
        const { after_seconds, code, detail } = verdict
        if (tries === ATTEMPTS) throw new PullFailed(code, `${detail} It was tried ${ATTEMPTS} times.`)
        if (after_seconds !== null && after_seconds > PATIENCE_SECONDS) throw new PullFailed(code, `${detail} It asks to wait ${Math.ceil(after_seconds)} s.`)
        await pause(after_seconds === null ? backoff_ms(tries, BACKOFF) : after_seconds * 1000)
      }
    }
  }
}

async function ask (url: string, headers: Record<string, string>, { fetch, timeout_ms }: CallSurroundings): Promise<ApiAnswer> {
  // A redirect would carry the key to wherever it points.
  const response = await fetch(url, { headers, redirect: 'error', signal: AbortSignal.timeout(timeout_ms) })
  return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() }
}

/** What went wrong on the way: fetch hides it in the cause. */
function reasonOf (error: unknown): string {
  const { message, cause } = error as Error
  return cause instanceof Error ? `${message}: ${cause.message}` : message
}
