import { send, type Load, type LoadOptions } from './client.ts'

/** The bytes of a GET on a connection that stays open. */
function get (path: string): Buffer {
  return Buffer.from(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`)
}

/** One after the other on one connection. @returns how long each took @throws Error when an answer is not right */
export async function timeEach (origin: string, paths: readonly string[], isRight: (index: number, body: string) => boolean): Promise<number[]> {
  const took_ms: number[] = []
  await ask(paths, { origin, connections: 1 }, (index, body, sent_ms) => {
    took_ms[index] = performance.now() - sent_ms
    return isRight(index, body)
  })
  return took_ms
}

/** Sends a GET for each path and insists on a right answer. @throws Error at the end, when one was not */
export async function ask (paths: readonly string[], options: LoadOptions, isRight: (index: number, body: string, sent_ms: number) => boolean): Promise<Load> {
  let wrong: string | undefined
  const load = await send(paths.map(get), options, (index, status, body, sent_ms) => {
    if (!isRight(index, body, sent_ms) || status !== 200) wrong ??= `${paths[index]} was answered wrongly, with ${status}: ${body}`
  })
  if (wrong !== undefined) throw new Error(wrong)
  return load
}
