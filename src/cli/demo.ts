import { readFile } from 'node:fs/promises'
import type { Config } from '../config.ts'
import { knownProviders } from '../providers/index.ts'
import { webhookPath } from '../providers/provider.ts'
import { CommandError } from '../app/errors.ts'
import { writeResult, type Output } from '../app/output.ts'
import { webhookSecrets } from '../app/webhook-secrets.ts'
import { serverUrl } from './support/server-url.ts'

const SAMPLES = ['customer.rewarded.loyalty_points', 'customer.order.paid']
const READS = [
  '/v1/customers?source_id=jck-wbhk',
  '/v1/customers/cust_IdgAFZxYwwHctOk9pPuMu308/balance',
  '/v1/cards/L0y4L/statement',
  '/v1/customers/cust_IdgAFZxYwwHctOk9pPuMu308/orders',
  '/v1/customers/cust_ufwK2qUNGDYxa1aji7XKzuHm/orders'
]

export interface DemoOptions { url: string | undefined, key: string | undefined }

/** `demo`: posts two real payloads of the first provider, each twice, to a running server, and reads the results. */
export async function demoCommand (config: Config, output: Output, options: DemoOptions): Promise<void> {
  const base = serverUrl(config, options.url)
  const { secrets: [secret = ''] } = await webhookSecrets(config)
  const provider = knownProviders.first
  const webhook = webhookPath(provider)
  const steps: unknown[] = []
  const show = (request: string, status: number, answer: unknown): void => {
    steps.push({ request, status, answer })
    if (!output.json) output.result(`${request}\n  ${status} ${JSON.stringify(answer, null, 2).replaceAll('\n', '\n  ')}\n`)
  }

  let position: string | undefined
  for (const sample of SAMPLES) {
    const body = await readFile(new URL(import.meta.resolve(`#root/samples/${sample}.json`)))
    for (const attempt of ['first', 'again']) {
      const answer = await call(`${base}${webhook}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...provider.sign(body, secret) },
        body: new Uint8Array(body)
      })
      show(`POST ${webhook}  (${sample}, ${attempt})`, answer.status, answer.json)
      requireOk(answer)
      position = (answer.json as { position?: string }).position ?? position
      await read(`/v1/customers?limit=1&min_position=${position}&wait_ms=10000`)
    }
  }
  for (const path of READS) {
    const answer = await read(path)
    show(`GET ${path}`, answer.status, answer.json)
  }
  if (output.json) writeResult(output, { steps }, '')

  async function read (path: string): Promise<Answer> {
    const headers: Record<string, string> = options.key === undefined ? {} : { authorization: `Bearer ${options.key}` }
    const answer = await call(`${base}${path}`, { headers })
    requireOk(answer)
    return answer
  }
}

interface Answer { status: number, json: unknown }

async function call (url: string, init: RequestInit): Promise<Answer> {
  let response: Response
  try {
    response = await fetch(url, { ...init, signal: AbortSignal.timeout(15_000) })
  } catch (error) {
    throw new CommandError('server_unreachable', `No ledger answers at ${new URL(url).origin}. Start one with \`make run\`, or give the URL of another with --url.`, { cause: error })
  }
  const text = await response.text()
  try {
    return { status: response.status, json: JSON.parse(text) as unknown }
  } catch (error) {
    throw new CommandError('answer_unexpected', `The server at ${new URL(url).origin} is not a loyalty ledger: its answer is not JSON (status ${response.status}). Does another program use that port?`, { cause: error })
  }
}

function requireOk ({ status, json }: Answer): void {
  if (status < 400) return
  const detail = (json as { detail?: string }).detail ?? JSON.stringify(json)
  const hint = (json as { code?: string }).code === 'key_missing' ? ' With make: make demo KEY=ll_….' : ''
  throw new CommandError('demo_refused', `The server answered ${status}: ${detail}${hint}`)
}
