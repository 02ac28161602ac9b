import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Db } from '../../postgres/database.ts'
import { digestOf, findKey, hasKeys, type Scope } from '../../access/api-keys.sql.ts'
import { isLoopbackHost } from '../../access/loopback.ts'
import { Problem } from '../problem.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Makes an onRequest hook that admits keys of a scope only. */
    requireScope: (scope: Scope) => (request: FastifyRequest) => Promise<void>
  }
  interface FastifyRequest {
    /** Who asks, to be recorded with a decision: `key_… (name)`, or that there was no key. */
    caller: string
  }
}

/** How long the answer about a key is cached: a revoked key stops working at most this much later. */
const REMEMBER_MS = 2000
const REMEMBERED_KEYS = 1000

const NO_KEY = 'this machine, without a key'

type Key = NonNullable<Awaited<ReturnType<typeof findKey>>>

/**
 * Admits bearers of an API key of the right scope. If no key was ever made, the server is in protected mode and answers
 * this machine only: a first try needs no key, and a forgotten server is not open to the world.
 */
export default fp<{ db: Db }>(async function auth (app, { db }) {
  const remembered = new Map<string, { found: Key, until: number }>()
  let keysKnown: { any: boolean, until: number } | undefined

  async function anyKeys (): Promise<boolean> {
    if (keysKnown === undefined || (!keysKnown.any && keysKnown.until < performance.now())) {
      keysKnown = { any: await hasKeys(db), until: performance.now() + REMEMBER_MS }
    }
    return keysKnown.any
  }

  async function keyOfToken (token: string): Promise<Key | undefined> {
    const key = digestOf(token).toString('base64')
    const known = remembered.get(key)
    if (known !== undefined && known.until > performance.now()) return known.found
    const found = await findKey(db, token)
    if (found === undefined) {
      remembered.delete(key)
    } else {
      if (remembered.size >= REMEMBERED_KEYS) remembered.clear()
      remembered.set(key, { found, until: performance.now() + REMEMBER_MS })
    }
    return found
  }

  app.decorateRequest('caller', NO_KEY)
  app.decorate('requireScope', (needed: Scope) => async (request: FastifyRequest) => {
    const token = bearer(request)
    if (token === undefined) {
      if (!(await anyKeys())) { requireLocal(request); return }
      throw unauthorised('key_missing', 'Send an API key: authorization: Bearer ll_…. `npx loyalty-ledger keys create NAME` makes one.')
    }
    const key = await keyOfToken(token)
    if (key === undefined) {
      throw unauthorised('key_unknown', 'This API key is unknown or revoked. `npx loyalty-ledger keys list` shows those in force.')
    }
    if (needed === 'operate' && key.scope !== 'operate') {
      throw new Problem(403, 'scope_insufficient', 'This route needs a key of scope operate; this one has scope read.')
    }
    request.caller = `${key.key_id} (${key.name})`
  })
}, { name: 'auth' })

function bearer (request: FastifyRequest): string | undefined {
  const match = /^bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')
  return match?.[1]
}

function unauthorised (code: string, detail: string): Problem {
  return new Problem(401, code, detail, { headers: { 'www-authenticate': 'Bearer realm="loyalty-ledger"' } })
}

// The Host header counts, too: a page in a browser on this machine can reach loopback under a name of its own (DNS
// rebinding). Behind a proxy everybody would look local.
function requireLocal (request: FastifyRequest): void {
  const forwarded = request.headers['x-forwarded-for'] !== undefined || request.headers.forwarded !== undefined
  if (isLoopbackHost(request.ip) && isLoopbackHost(request.hostname) && !forwarded && !fromAnotherPage(request)) return
  throw new Problem(403, 'protected_mode', 'There is no API key yet, so only this machine may enter, and no web page of another origin. Make one with `npx loyalty-ledger keys create NAME`.')
}

// Any page in a browser here can post to loopback. It cannot read the answer, but the post has its effect.
function fromAnotherPage (request: FastifyRequest): boolean {
  const { origin, host } = request.headers
  return origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`
}
