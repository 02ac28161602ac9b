import { connect, type Socket } from 'node:net'
import type { Delivery } from './deliveries.ts'

export interface LoadOptions {
  /** Of the server, `http://127.0.0.1:…`. */
  origin: string
  connections: number
  /** Paces the load instead of sending as fast as answers come. */
  perSecond?: number
}

export interface Load {
  seconds: number
  /** Requests answered with a 2xx, in a second. */
  rate: number
  p50_ms: number
  p99_ms: number
  /** By status code. */
  answers: Map<number, number>
}

/** Told of each answer: which request, its status, its body, and when it had been sent. */
export type OnAnswer = (index: number, status: number, body: string, sent_ms: number) => void

/**
 * Sends requests over connections that stay open, one at a time on each, and waits for every answer. A client of its own, since
 * it shares two cores with what it measures: it writes ready-made bytes and reads a status line and a length.
 * @throws Error when a connection breaks: an answer that is missing would make a rate a lie
 */
export async function send (requests: readonly Buffer[], options: LoadOptions, onAnswer?: OnAnswer): Promise<Load> {
  const { hostname, port } = new URL(options.origin)
  const sockets = await Promise.all(Array.from({ length: Math.min(options.connections, requests.length) }, async () => await open(hostname, Number(port))))
  const latencies = new Float64Array(requests.length)
  const answers = new Map<number, number>()
  let next = 0
  const began = performance.now()
  await Promise.all(sockets.map(async socket => await new Promise<void>((resolve, reject) => {
    let index = -1
    let sent_ms = 0
    const proceed = (): void => {
      index = next++
      if (index >= requests.length) { resolve(); return }
      const due_ms = options.perSecond === undefined ? 0 : began + index * 1000 / options.perSecond
      const wait_ms = due_ms - performance.now()
      if (wait_ms > 1) setTimeout(write, wait_ms)
      else write()
    }
    const write = (): void => {
      sent_ms = performance.now()
      socket.write(requests[index] as Buffer)
    }
    readAnswers(socket, (status, body) => {
      latencies[index] = performance.now() - sent_ms
      answers.set(status, (answers.get(status) ?? 0) + 1)
      onAnswer?.(index, status, body, sent_ms)
      proceed()
    })
    socket.once('error', reject)
    socket.once('close', () => { reject(new Error('the server closed a connection under load')) })
    proceed()
  })))
  const seconds = (performance.now() - began) / 1000
  for (const socket of sockets) socket.destroy()
  const good = [...answers].filter(([status]) => status < 300).reduce((sum, [, count]) => sum + count, 0)
  latencies.sort()
  const quantile = (share: number): number => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0
  return { seconds, rate: good / seconds, p50_ms: quantile(0.5), p99_ms: quantile(0.99), answers }
}

/** Sends deliveries and insists that every one is acknowledged with a 2xx. */
export async function deliver (deliveries: readonly Delivery[], options: LoadOptions, onAnswer?: OnAnswer): Promise<Load> {
  const load = await send(deliveries.map(({ request }) => request), options, onAnswer)
  const refused = [...load.answers].filter(([status]) => status >= 300)
  if (refused.length > 0) throw new Error(`not every delivery was acknowledged: ${refused.map(([status, count]) => `${count} × ${status}`).join(', ')}`)
  return load
}

async function open (host: string, port: number): Promise<Socket> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true }, () => { resolve(socket) })
    socket.once('error', reject)
  })
}

const HEADERS_END = Buffer.from('\r\n\r\n')

function readAnswers (socket: Socket, onAnswer: (status: number, body: string) => void): void {
  let pending: Buffer | undefined
  socket.on('data', (chunk: Buffer) => {
    const bytes = pending === undefined ? chunk : Buffer.concat([pending, chunk])
    const end = bytes.indexOf(HEADERS_END)
    if (end === -1) { pending = bytes; return }
    const head = bytes.toString('latin1', 0, end)
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0)
    const whole = end + HEADERS_END.length + length
    if (bytes.length < whole) { pending = bytes; return }
    // One request at a time: nothing can follow the answer.
    pending = undefined
    onAnswer(Number(head.slice(9, 12)), bytes.toString('utf8', end + HEADERS_END.length, whole))
  })
}
