import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { instant } from '../clock.ts'
import type { World } from '../model.ts'
import type { ApiAnswer } from './answer.ts'
import { CALM, createFaults, unauthorizedAnswer, type ApiChaos, type ApiFault } from './faults.ts'
import { latestOf } from './lists.ts'
import { answerTo } from './routes.ts'

export interface ApiOptions {
  app_id?: string
  app_token?: string
  chaos?: ApiChaos
  /** Rows of the card ledger that are not committed yet: not shown until they are taken out. */
  uncommitted?: Set<string>
  /** Called before each answer: the world may change between two pages. */
  onCall?: (call: number, path: string) => void
}

/** The provider's API over a simulated world, on a port of this machine. */
export interface ProviderApi {
  url: string
  app_id: string
  app_token: string
  /** Method and path of every call so far, with the query. */
  readonly calls: readonly string[]
  /** Each of these happens to one of the next calls, in order, whatever the chaos. */
  fail: (...faults: ApiFault[]) => void
  close: () => Promise<void>
}

/** What a plan allows; the headers say so, and nothing enforces it: faults do. */
const LIMIT_PER_MINUTE = 100

/** Starts the API on a free port of the loopback interface. */
export async function startProviderApi (world: World, options: ApiOptions = {}): Promise<ProviderApi> {
  const { app_id = 'app-id', app_token = 'app-token', chaos = CALM, uncommitted = new Set<string>(), onCall = () => {} } = options
  const calls: string[] = []
  const queued: ApiFault[] = []
  const draw = createFaults(chaos)

  function handle (request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams: query } = new URL(request.url ?? '/', 'http://api')
    calls.push(`${request.method} ${request.url}`)
    onCall(calls.length, pathname)
    const fault = queued.shift() ?? draw()
    if (fault !== undefined) {
      suffer(fault, response)
      return
    }
    const [version, ...path] = pathname.split('/').slice(1).map(decodeURIComponent)
    const known = version === 'v1' && request.headers['x-app-id'] === app_id && request.headers['x-app-token'] === app_token
    send(known ? answerTo({ method: request.method ?? '', path, query }, world, uncommitted) : unauthorizedAnswer(), response, world)
  }

  const server = createServer((request, response) => {
    request.resume()
    handle(request, response)
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    app_id,
    app_token,
    calls,
    fail: (...faults) => { queued.push(...faults) },
    async close () {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    }
  }

  function suffer (fault: ApiFault, response: ServerResponse): void {
    switch (fault.fault) {
      case 'answer': send(fault.answer, response, world); break
      case 'garbled': response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Bad gateway</html>'); break
      case 'silence': break
      case 'cut':
        if (fault.midway) {
          // Half of an answer reaches the client.
          response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
          response.write('{"object":"list","data":[')
        }
        setImmediate(() => response.destroy())
    }
  }
}

function send ({ status, headers = {}, body }: ApiAnswer, response: ServerResponse, world: World): void {
  response.writeHead(status, {
    'content-type': typeof body === 'string' ? 'text/csv' : 'application/json',
    'x-rate-limit-limit': String(LIMIT_PER_MINUTE),
    'x-rate-limit-remaining': String(LIMIT_PER_MINUTE - 1),
    date: new Date(instant(latestOf(world))).toUTCString(),
    ...headers
  })
  response.end(typeof body === 'string' ? body : JSON.stringify(body))
}
