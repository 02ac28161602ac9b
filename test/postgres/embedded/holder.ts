// A process that opens the cluster of a folder, says so in one line of JSON, and releases it on any input.
import { openCluster } from '../../../src/postgres/embedded/index.ts'

const lines: string[] = []
try {
  const cluster = await openCluster({ dataDir: process.argv[2] ?? '', settings: { fsync: 'off' }, log: line => { lines.push(line) } })
  process.stdout.write(`${JSON.stringify({ url: cluster.url, started: cluster.started, lines })}\n`)
  process.stdin.once('data', () => {
    cluster.release().then(() => { process.exit(0) }, (error: unknown) => { throw error })
  })
} catch (error) {
  const { name, code, message } = error as Error & { code?: string }
  process.stdout.write(`${JSON.stringify({ name, code, message, lines })}\n`)
}
