import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { openLink, type Link, type Request } from './link.ts'

/** A proxy in front of PostgreSQL that can do to connections what networks do. */
export interface Proxy {
  /** The database, through the proxy. */
  url: string
  /** The connections that are open and not dead, oldest first; those whose application_name matches. */
  links: (of?: RegExp) => Link[]
  /** Told of each connection that says its name from now on. @returns how to stop */
  onLink: (observeFields: (link: Link) => void) => () => void
  /** Requests seen so far, of all connections; those whose application_name matches. */
  requests: (of?: RegExp) => number
  /**
   * Acts at the n-th request from now: `before` it reaches the server, or `after` the server has done it and before the
   * answer reaches the client. Everything of that connection waits until `act` is done; unless told otherwise it cuts
   * all connections that match, as a crash would.
   * @param options.of which connections count, by application_name
   * @param options.statement which requests count, by their SQL
   */
  cutAt: (n: number, when: 'before' | 'after', options?: { of?: RegExp, statement?: RegExp, act?: (link: Link) => void | Promise<void> }) => Cutting
}

export interface Cutting {
  /** Resolves once it has acted. */
  done: Promise<void>
  hasActed: () => boolean
  /** Lets everything pass again, if it has not acted yet. */
  forget: () => void
}

/** Starts a proxy on a free port of loopback; it ends with the test. */
export async function openProxy (t: Test, target: string): Promise<Proxy> {
  const { hostname, port } = new URL(target)
  const links = new Set<Link>()
  const tellers = new Set<(link: Link) => void>()
  const watchers = new Set<(link: Link, request: Request) => void>()
  const counts = new Map<string, number>()

  const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
    const link = openLink(socket, { host: hostname, port: Number(port) }, {
      onNamed () { for (const observeFields of [...tellers]) observeFields(link) },
      onRequest (request) {
        counts.set(link.name, (counts.get(link.name) ?? 0) + 1)
        for (const watch of [...watchers]) watch(link, request)
      },
      onClosed () { links.delete(link) }
    })
    links.add(link)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const link of links) link.cut()
  })

  const url = new URL(target)
  url.port = String((server.address() as AddressInfo).port)
  const matching = (of?: RegExp): Link[] => [...links].filter(({ name, dead }) => !dead && of?.test(name) !== false)
  return {
    url: url.href,
    links: matching,
    onLink (observeFields) {
      tellers.add(observeFields)
      return () => { tellers.delete(observeFields) }
    },
    requests: of => [...counts].filter(([name]) => of?.test(name) !== false).reduce((sum, [, count]) => sum + count, 0),
    cutAt (n, when, { of, statement, act = () => { for (const link of matching(of)) link.cut() } } = {}) {
      const { promise: done, resolve, reject } = withResolvers()
      let seen = 0
      let acted = false
      function watch (link: Link, request: Request): void {
        if (of?.test(link.name) === false || statement?.test(request.statement) === false || ++seen !== n) return
        watchers.delete(watch)
        request[when](async () => {
          acted = true
          await act(link)
          resolve()
        }).catch(reject)
      }
      watchers.add(watch)
      return { done, hasActed: () => acted, forget: () => { watchers.delete(watch) } }
    }
  }
}

function withResolvers (): { promise: Promise<void>, resolve: () => void, reject: (error: unknown) => void } {
  let resolve!: () => void
  let reject!: (error: unknown) => void
  const promise = new Promise<void>((_resolve, _reject) => {
    resolve = _resolve
    reject = _reject
  })
  return { promise, resolve, reject }
}
