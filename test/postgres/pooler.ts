import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { Test } from 'tap'
import { asksForTls, createFramer, READY } from '../chaos/wire.ts'

/**
 * A connection pooler as PgBouncer with `ignore_startup_parameters = options`: it drops the options of a connection,
 * and hands a connection to the server on to the next client; with `reset` after a `discard all`, as in session mode.
 * @returns the URL of the database through it
 */
export async function openPooler (t: Test, target: string, { reset }: { reset: boolean }): Promise<string> {
  const { hostname, port } = new URL(target)
  const idle: Backend[] = []
  const sockets = new Set<Socket>()
  const server = createServer(client => {
    sockets.add(client)
    client.on('error', () => { /* the close follows */ })
    const frame = createFramer(true)
    let backend: Backend | undefined
    client.on('data', chunk => {
      for (const { type, bytes } of frame(chunk)) {
        if (type === undefined && asksForTls(bytes)) client.write('N')
        else if (type === undefined) backend = attach(client, bytes)
        else if (type === 'X') leave()
        else backend?.socket.write(bytes)
      }
    })
    client.on('close', leave)

    function leave (): void {
      if (backend !== undefined) release(backend)
      backend = undefined
      client.end()
    }
  })

  function attach (client: Socket, startup: Buffer): Backend {
    const free = idle.pop()
    if (free !== undefined) {
      free.client = client
      client.write(Buffer.concat([AUTHENTICATED, ...free.greeting]))
      return free
    }
    const backend: Backend = { socket: connect(Number(port), hostname), client, greeting: [] }
    sockets.add(backend.socket)
    backend.socket.write(withoutOptions(startup))
    backend.socket.on('error', () => { /* the close follows */ })
    let greeted = false
    const frame = createFramer(false)
    backend.socket.on('data', chunk => {
      for (const { type, bytes } of frame(chunk)) {
        if (!greeted && type !== undefined && 'SKZ'.includes(type)) backend.greeting.push(Buffer.from(bytes))
        if (type === READY) {
          greeted = true
          if (backend.client === undefined) idle.push(backend)
        }
        backend.client?.write(bytes)
      }
    })
    return backend
  }

  function release (backend: Backend): void {
    backend.client = undefined
    if (!reset) idle.push(backend)
    else backend.socket.write(query('discard all'))
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const url = new URL(target)
  url.port = String((server.address() as AddressInfo).port)
  return url.href
}

interface Backend { socket: Socket, client: Socket | undefined, greeting: Buffer[] }

const AUTHENTICATED = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0])

function query (text: string): Buffer {
  const body = Buffer.from(`${text}\0`)
  const head = Buffer.from('Q\0\0\0\0')
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

function withoutOptions (startup: Buffer): Buffer {
  const words = startup.toString('utf8', 8).split('\0')
  const kept: string[] = []
  for (let index = 0; words[index] !== ''; index += 2) {
    if (words[index] !== 'options') kept.push(words[index] ?? '', words[index + 1] ?? '')
  }
  const body = Buffer.from(`${kept.join('\0')}\0\0`)
  const head = Buffer.from(startup.subarray(0, 8))
  head.writeInt32BE(8 + body.length, 0)
  return Buffer.concat([head, body])
}
