// What strangers may occupy: memory for bodies whose signature is not checked yet, and connections.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test, type Test } from 'tap'
import { awardData } from '../support/deliveries.ts'
import { openLedger, type TestLedger } from '../support/ledger.ts'
import { waitUntil } from '../support/wait.ts'

async function listen (t: Test, { app }: TestLedger): Promise<number> {
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  return Number(new URL(url).port)
}

/** A sender that announces a body and sends none of it. */
async function announce (t: Test, port: number, header: string): Promise<{ socket: Socket, answer: () => string }> {
  const socket = connect(port, '127.0.0.1')
  let answer = ''
  socket.on('data', chunk => { answer += String(chunk) })
  socket.on('error', () => { /* the close follows */ })
  t.teardown(() => { socket.destroy() })
  await once(socket, 'connect')
  socket.write(`POST /webhooks/voucherify HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n${header}\r\n\r\n`)
  return { socket, answer: () => answer }
}

test('large bodies of strangers have a bound in all, and do not keep ordinary deliveries out', async t => {
  const ledger = await openLedger(t, { limits: { bodiesLimitBytes: 2_000_000 } })
  const port = await listen(t, ledger)
  const senders = await Promise.all(['content-length: 900000', 'content-length: 900000', 'transfer-encoding: chunked'].map(async header => await announce(t, port, header)))
  await waitUntil(() => senders.some(({ answer }) => answer().includes('bodies_full')), { what: 'one of them to be refused' })
  const refused = senders.filter(({ answer }) => answer() !== '')
  t.equal(refused.length, 1)
  t.match(refused[0]?.answer(), /^HTTP\/1\.1 503 [^]*retry-after: 1[^]*"code":"bodies_full"/i)
  t.equal((await ledger.post(awardData())).statusCode, 202, 'an ordinary delivery')
  t.equal((await ledger.get('/readyz')).statusCode, 200)

  for (const { socket } of senders) socket.destroy()
  const large = { ...awardData({ rule: 'ern_2' }), padding: 'x'.repeat(500_000) }
  await waitUntil(async () => (await ledger.post(large)).statusCode === 202, { what: 'room for large ones again' })
})

test('a body that announces too much is refused by its length and reserves nothing', async t => {
  const ledger = await openLedger(t, { limits: { bodiesLimitBytes: 1_048_576 } })
  const port = await listen(t, ledger)
  const sender = await announce(t, port, 'content-length: 99999999')
  await waitUntil(() => sender.answer().startsWith('HTTP/1.1 413'))
  t.equal((await ledger.post({ ...awardData(), padding: 'x'.repeat(900_000) })).statusCode, 202)
})

test('connections beyond the limit are closed, and the others go on', async t => {
  const ledger = await openLedger(t, { limits: { connectionLimit: 2 } })
  const port = await listen(t, ledger)
  const [first] = await Promise.all([announce(t, port, 'content-length: 10'), announce(t, port, 'content-length: 10')])
  const refused = connect(port, '127.0.0.1')
  refused.on('error', () => { /* the close follows */ })
  await once(refused, 'close')
  t.equal(refused.bytesRead, 0)
  first.socket.write('0123456789')
  await waitUntil(() => first.answer().startsWith('HTTP/1.1 401'), { what: 'one that was there before to be answered' })
})
