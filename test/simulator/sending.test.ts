import { test } from 'tap'
import type { Answer, Client } from '../../simulator/client.ts'
import type { Delivery } from '../../simulator/delivery.ts'
import { createDifferences } from '../../simulator/differences.ts'
import { send } from '../../simulator/sending.ts'

function delivery (name: string, kind: Delivery['kind'], key: string): Delivery {
  return { kind, type: name, route: undefined, traits: [], key, event_id: undefined, reason: undefined, body: Buffer.from(name), facts: [], signature: () => '' }
}

test('given a rate, then deliveries of one key are sent in order, also after a delay', async t => {
  const posted: string[] = []
  const accepted: Answer = { status: 202, json: { status: 'accepted' } }
  const client: Client = {
    async post (_path, body) {
      posted.push(String(body))
      if (posted.length > 1) return accepted
      // The process stops for longer than the times of all that follow.
      await new Promise(resolve => setImmediate(resolve))
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
      return accepted
    },
    get: async () => accepted,
    close () {}
  }
  const deliveries = [delivery('other', 'event', 'other'), delivery('true', 'event', 'key'), delivery('false', 'conflict', 'key')]
  await send(client, deliveries, { secret: '', concurrency: 2, rate: 50 }, createDifferences())
  t.same(posted, ['other', 'true', 'false'])
})
