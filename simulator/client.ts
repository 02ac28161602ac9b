import http from 'node:http'
import https from 'node:https'

export interface Answer {
  status: number
  /** The parsed body; undefined if it is not JSON. */
  json: unknown
  /** From `retry-after`. */
  retry_after_seconds?: number
  /** From `date`: the server's clock, to the second. */
  date_ms?: number
}

export interface Client {
  /** @throws SimulatorFailure server_unreachable */
  post: (path: string, body: Buffer, headers: Record<string, string>) => Promise<Answer>
  /** @throws SimulatorFailure server_unreachable */
  get: (path: string) => Promise<Answer>
  close: () => void
}

/** Why a simulation cannot continue: a stable code, and what to do. */
export class SimulatorFailure extends Error {
  override name = 'SimulatorFailure'
  readonly code: 'server_unreachable' | 'signature_refused' | 'read_refused' | 'projection_behind'

  constructor (code: SimulatorFailure['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Longer than 10 s: a read may wait that long for a position before it answers. */
const TIMEOUT_MS = 20_000

/** Keeps connections open: opening one for each delivery costs more than the delivery. */
export function openClient (base: string, { connections, key }: { connections: number, key: string | undefined }): Client {
  const { request, Agent } = base.startsWith('https:') ? https : http
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const authorization: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` }

  async function call (method: string, path: string, headers: Record<string, string>, body?: Buffer): Promise<Answer> {
    return await new Promise((resolve, reject) => {
      const fail = (cause: Error): void => {
        reject(new SimulatorFailure('server_unreachable', `No ledger answers at ${base}: ${cause.message}. Start one with \`make run\`, or name another with --url.`, { cause }))
      }
      const sent = request(`${base}${path}`, { method, agent, headers, timeout: TIMEOUT_MS }, answer => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.on('error', fail)
        answer.on('end', () => resolve(read(answer, Buffer.concat(chunks))))
      })
      sent.on('error', fail)
      sent.on('timeout', () => sent.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)))
      sent.end(body)
    })
  }

  return {
    post: async (path, body, headers) => await call('POST', path, { ...headers, 'content-length': String(body.length) }, body),
    get: async path => await call('GET', path, authorization),
    close: () => agent.destroy()
  }
}

/**
 * The wait before the next attempt: what the server asks for, else doubled each time; at most ten seconds.
 * @param attempt from 1
 */
export function waitBeforeRetry_ms (answer: Answer | undefined, attempt: number, backoff_ms: number): number {
  const wait_ms = answer?.retry_after_seconds === undefined ? backoff_ms * 2 ** (attempt - 1) : answer.retry_after_seconds * 1000
  return Math.min(wait_ms, 10_000)
}

function read (answer: http.IncomingMessage, body: Buffer): Answer {
  const retry_after_seconds = Number(answer.headers['retry-after'])
  const date_ms = Date.parse(answer.headers.date ?? '')
  return {
    status: answer.statusCode ?? 0,
    json: parsed(body.toString()),
    ...(Number.isFinite(retry_after_seconds) ? { retry_after_seconds } : {}),
    ...(Number.isFinite(date_ms) ? { date_ms } : {})
  }
}

function parsed (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
