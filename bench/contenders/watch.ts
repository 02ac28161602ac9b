import { spawn } from 'node:child_process'
import { peakMb, residentMb } from './contender.ts'
import { median } from '../table.ts'

/** What a process had resident, in MB. */
export interface Memory {
  peak: number
  /** Medians over the second and the last quarter of its life: of one that is flat they are alike. */
  second: number
  last: number
}

const SAMPLE_MS = 50

/** Looks at a process's memory until it has ended, or until told. */
export function watch (pid: number): { stop: () => Promise<Memory> } {
  const samples: number[] = []
  let peak = 0
  let stopped = false
  const watching = (async () => {
    while (!stopped) {
      try {
        samples.push(await residentMb(pid))
        peak = Math.max(peak, await peakMb(pid) || 0)
      } catch { return }
      await new Promise(resolve => setTimeout(resolve, SAMPLE_MS))
    }
  })()
  return {
    async stop () {
      stopped = true
      await watching
      // An ended process that nobody has waited for yet tells no memory.
      const resident = samples.filter(value => !Number.isNaN(value))
      const quarter = (index: number): number => median(resident.slice(Math.floor(resident.length * index / 4), Math.ceil(resident.length * (index + 1) / 4)))
      return { peak, second: quarter(1), last: quarter(3) }
    }
  }
}

/**
 * Runs a program to its end and looks at its memory meanwhile.
 * @throws Error when it fails
 */
export async function watchRun (args: readonly string[], env: Record<string, string>): Promise<{ memory: Memory, seconds: number, stdout: string }> {
  const began = performance.now()
  const child = spawn(process.execPath, [...args], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const said = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => { said.stdout += text })
  child.stderr.setEncoding('utf8').on('data', (text: string) => { said.stderr = (said.stderr + text).slice(-4000) })
  const watched = watch(child.pid as number)
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  const memory = await watched.stop()
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}: ${said.stdout}${said.stderr}`)
  return { memory, seconds: (performance.now() - began) / 1000, stdout: said.stdout }
}
