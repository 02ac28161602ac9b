/* eslint no-template-curly-in-string: off -- ${NAME} is how docker compose writes a variable */

import { execFile } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseEnv } from 'node:util'
import t from 'tap'
import { parse } from 'yaml'
import { createOutput } from '../src/app/output.ts'
import { createProgram } from '../src/cli/program.ts'
import { ConfigSchema, loadConfig } from '../src/config.ts'
import { root } from './support/root.ts'

const text = (name: string) => readFileSync(path.join(root, name), 'utf8')
const isThere = (name: string) => existsSync(path.join(root, name))
const { commands } = createProgram({ about: { description: '', version: '' }, loadConfig, createOutput })
const isCommand = (name: string | undefined) => commands.some(command => command.name() === name)

interface Service {
  image: string
  build?: string
  command?: string[]
  environment: Record<string, string | number | null>
  volumes?: string[]
  ports?: string[]
  restart: string
  healthcheck?: { test: string[] }
  depends_on?: Record<string, { condition: string }>
}

const compose = parse(text('docker-compose.yml'), { merge: true }) as {
  services: Record<'postgres' | 'migrate' | 'api' | 'worker', Service>
  volumes: Record<string, unknown>
}
const { postgres, migrate, api, worker } = compose.services

// What the process of the container is told and the ledger does not know itself: node-postgres reads it.
const knownToThePackages = ['PGPASSWORD']
// What only docker compose reads.
const knownToCompose = ['POSTGRES_PASSWORD']

t.test('docker-compose.yml: the services and what they run', async t => {
  t.strictSame(Object.keys(compose.services), ['postgres', 'migrate', 'api', 'worker'])
  t.strictSame(migrate.command, ['migrate', 'up'])
  t.strictSame(api.command, ['serve', '--only', 'api'])
  t.strictSame(worker.command, ['serve', '--only', 'worker'])
  for (const [name, { command, image, build }] of Object.entries({ migrate, api, worker })) {
    t.ok(isCommand(command?.[0]), `${name} runs a command of the command line`)
    t.strictSame({ image, build }, { image: api.image, build: '.' }, `${name} is made from the one image`)
  }
})

t.test('docker-compose.yml: no secret has a default', async t => {
  const source = text('docker-compose.yml')
  t.equal(postgres.environment.POSTGRES_PASSWORD, '${POSTGRES_PASSWORD:?set POSTGRES_PASSWORD in .env}')
  t.equal(api.environment.WEBHOOK_SECRETS, '${WEBHOOK_SECRETS:?set WEBHOOK_SECRETS in .env}')

  for (const [service, { environment }] of Object.entries(compose.services)) {
    for (const [name, value] of Object.entries(environment)) {
      if (!/PASSWORD|SECRET|TOKEN|KEY/.test(name) || name.endsWith('_FILE')) continue // a path is no secret
      if (value === null) continue // passed on if it is set: not everybody needs it
      t.match(value, /^\$\{[A-Z_]+:\?[^}]+\}$/, `${service}: ${name} is required`)
    }
  }
  for (const [whole, name, how] of source.matchAll(/\$\{([A-Z_]+)([^}]*)\}/g)) {
    t.ok(how?.startsWith(':?') || whole === '${PORT:-3000}', `${name} is required, or is not a secret`)
  }
  t.notMatch(source, /:\/\/[^/\s@]*:[^/\s@]*@/, 'no URL holds a password')
})

t.test('docker-compose.yml: the data outlives the container', async t => {
  t.equal(postgres.image, 'postgres:18')
  // Since 18 the image keeps its data in a folder of the version below this one, and refuses a mount at …/data.
  t.strictSame(postgres.volumes, ['postgres-data:/var/lib/postgresql'])
  t.ok('postgres-data' in compose.volumes, 'the volume has a name, so that it is found again')
})

t.test('docker-compose.yml: who is seen from outside', async t => {
  t.strictSame(api.ports, ['127.0.0.1:${PORT:-3000}:3000'])
  t.equal(api.environment.HOST, '0.0.0.0')
  t.equal(api.environment.PORT, 3000)
  for (const [name, { ports }] of Object.entries({ postgres, migrate, worker })) t.equal(ports, undefined, `${name} publishes nothing`)
})

t.test('docker-compose.yml: order of start, health and restarts', async t => {
  t.strictSame(migrate.depends_on, { postgres: { condition: 'service_healthy' } })
  for (const [name, service] of Object.entries({ api, worker })) {
    t.strictSame(service.depends_on, {
      postgres: { condition: 'service_healthy' },
      migrate: { condition: 'service_completed_successfully' }
    }, `${name} waits for the tables`)
    t.match(service.healthcheck?.test.join(' '), /^CMD node .*fetch\('http:\/\/127\.0\.0\.1:3000\/readyz'\)/, `${name} is asked whether it is ready`)
  }
  t.match(postgres.healthcheck?.test.join(' '), /pg_isready/)
  t.strictSame([postgres, migrate, api, worker].map(({ restart }) => restart), ['unless-stopped', 'no', 'unless-stopped', 'unless-stopped'])
})

t.test('docker-compose.yml: every variable is one that somebody reads', async t => {
  for (const [service, { environment }] of Object.entries({ migrate, api, worker })) {
    for (const name of Object.keys(environment)) {
      t.ok(name in ConfigSchema.properties || knownToThePackages.includes(name), `${service}: ${name}`)
    }
  }
  const given = new Set([migrate, api, worker].flatMap(({ environment }) => Object.keys(environment)))
  for (const name of Object.keys(ConfigSchema.properties)) {
    if (name === 'DATA_DIR') continue // there is no embedded PostgreSQL in the image
    t.ok(given.has(name), `${name} can be set for a container`)
  }
})

t.test('.env.example: the variables of src/config.ts, no more and no less, with their defaults', async t => {
  const source = text('.env.example')
  const names = [...source.matchAll(/^(?:# )?([A-Z][A-Z_]*)=/gm)].map(match => match[1] ?? '')
  t.strictSame(names.toSorted(), [...Object.keys(ConfigSchema.properties), ...knownToCompose].toSorted())

  // The way node --env-file reads it.
  const values = parseEnv(source)
  for (const [name, schema] of Object.entries<{ default?: string | number }>(ConfigSchema.properties)) {
    t.equal(values[name], schema.default?.toString(), name)
  }
  for (const name of [...knownToCompose, 'WEBHOOK_SECRETS']) t.equal(values[name], '', `${name} is left to the reader`)

  const lines = source.split('\n')
  for (const name of names) {
    const at = lines.findIndex(line => line.replace('# ', '').startsWith(`${name}=`))
    t.match(lines[at - 1], /^# \S/, `${name} has a comment`)
  }
})

t.test('Dockerfile: what it copies is there, and gets past .dockerignore', async t => {
  const dockerfile = text('Dockerfile')
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(match => (match[1] ?? '').split(' '))
  const kept = text('.dockerignore').split('\n').filter(line => line.startsWith('!')).map(line => line.slice(1))
  t.ok(['package.json', 'package-lock.json', 'src', 'migrations'].every(name => copied.includes(name)))
  for (const name of new Set(copied)) t.ok(isThere(name), `${name} is there`)
  t.strictSame([...new Set(copied)].toSorted(), kept.toSorted(), 'the context is what is copied')
  t.match(text('.dockerignore'), /^\*$/m, 'everything else is kept out')
})

t.test('Dockerfile: runs as an ordinary user, the commands as they are', async t => {
  const [last = ''] = text('Dockerfile').split(/^FROM /m).slice(-1)
  t.match(last, /^USER node$/m)
  t.match(last, /^ENTRYPOINT \["node", "dist\/src\/main\.js"\]$/m)
  t.match(last, /^CMD \["serve"\]$/m)
  for (const needed of ['dist', 'node_modules', 'package.json', 'migrations']) {
    t.match(last, new RegExp(`^COPY .*${needed}`, 'm'), `${needed} is beside it`)
  }
})

t.test('Makefile: what the README says to type is there', async t => {
  const makefile = text('Makefile')
  const targets = new Set([...makefile.matchAll(/^([a-z-]+):/gm)].map(match => match[1]))
  const named = new Set([...text('README.md').matchAll(/[`$] ?make ([a-z-]+)|^make ([a-z-]+)(?=\s*(?:#|$))/gm)].map(match => match[1] ?? match[2]))
  t.ok(named.has('run') && named.has('test'), 'the README names the two commands')
  for (const name of named) t.ok(targets.has(name), `make ${name}`)
  for (const [, command] of makefile.matchAll(/\$\(NODE\) \$\(BUILT\) (\S+)/g)) t.ok(isCommand(command), `${command} is a command of the command line`)
})

t.test('scripts/test.js counts what tap wrote, and not how it ended', async t => {
  const header = 'TAP version 14\n'
  const cases: Array<[what: string, tap: string, count: string]> = [
    ['assertions in tests in files', `${header}1..1
# Subtest: test/a.test.ts
    # Subtest: one
        ok 1 - first
        ok 2 - second
        1..2
    ok 1 - one
    # Subtest: nothing asserted
        1..0
    ok 2 - nothing asserted
    ok 3 - not now # SKIP reason
    not ok 4 - not yet # TODO reason
    1..4
ok 1 - test/a.test.ts\n`, '3 passed, 0 failed'],
    ['a failed assertion once, and not again for all that holds it', `${header}1..1
# Subtest: test/a.test.ts
    # Subtest: one
        ok 1 - first
        not ok 2 - second
          ---
          found: |
            ok 3 - a line of a diagnostic is not a result
          ...
        1..2
    not ok 1 - one
    1..1
not ok 1 - test/a.test.ts\n`, '1 passed, 1 failed'],
    ['a file that crashed before its first test', `${header}1..2
# Subtest: test/a.test.ts
    1..0 # no tests found
not ok 1 - test/a.test.ts
  ---
  exitCode: 1
  ...
# Subtest: test/b.test.ts
    ok 1 - fine
    1..1
ok 2 - test/b.test.ts\n`, '1 passed, 1 failed'],
    ['a file that was killed after a test that passed', `${header}1..1
# Subtest: test/a.test.ts
    ok 1 - first
    # test count(1) != plan(null)
not ok 1 - test/a.test.ts
  ---
  signal: SIGKILL
  ...\n`, '1 passed, 1 failed'],
    ['a file that left before it tested anything', `${header}1..2
# Subtest: test/a.test.ts
    1..0 # no tests found
ok 1 - test/a.test.ts # SKIP no tests found
ok 2 - test/b.test.ts\n`, '1 passed, 1 failed'],
    ['a run that was cut off', `${header}1..3\nok 1 - test/a.test.ts\n`, '1 passed, 1 failed'],
    ['a run that gave up', `${header}ok 1 - a\nBail out! no database\n`, '1 passed, 1 failed'],
    ['no test at all', `${header}1..0\n`, '0 passed, 1 failed'],
    ['nothing', '', '0 passed, 1 failed']
  ]
  const folder = t.testdir(Object.fromEntries(cases.map(([, tap], index) => [`${index}.tap`, tap])))
  await Promise.all(cases.map(async ([what, , count], index) => {
    const { code, lines } = await countOf(path.join(folder, `${index}.tap`))
    t.equal(lines.at(-1), count, what)
    t.equal(code, count.endsWith(' 0 failed') ? 0 : 1, `${what}: exit code`)
  }))
})

async function countOf (file: string): Promise<{ code: number, lines: string[] }> {
  return await new Promise(resolve => {
    const child = execFile(process.execPath, [path.join(root, 'scripts/test.js'), '--count', file], (_error, stdout) => {
      resolve({ code: child.exitCode ?? -1, lines: stdout.trimEnd().split('\n') })
    })
  })
}

t.test('after a build that failed, the next one writes all that is missing, and one without changes does nothing', async t => {
  const small = (broken: boolean): string => `export const answer: number = ${broken ? "'none'" : '42'}\n`
  const { compilerOptions } = JSON.parse(text('tsconfig.json')) as { compilerOptions: object }
  const folder = t.testdir({
    'package.json': '{ "type": "module" }',
    'tsconfig.json': JSON.stringify({ compilerOptions: { ...compilerOptions, lib: ['es5'], types: [] }, include: ['src'] }),
    'tsconfig.build.json': JSON.stringify({ extends: './tsconfig.json', compilerOptions: { tsBuildInfoFile: 'dist/.tsbuildinfo-shipped' } }),
    scripts: {},
    simulator: {},
    src: { 'main.ts': 'export const main = true\n', 'other.ts': small(false) }
  })
  copyFileSync(path.join(root, 'scripts/compile.js'), path.join(folder, 'scripts/compile.js'))
  symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'))
  const build = async (): Promise<number | null> => await exitCode(process.execPath, [path.join(folder, 'scripts/compile.js'), '--shipped'])
  t.equal(await build(), 0)
  writeFileSync(path.join(folder, 'src/other.ts'), small(true))
  t.equal(await build(), 1)
  // As make does with the target of a rule that failed.
  rmSync(path.join(folder, 'dist/src/main.js'))
  writeFileSync(path.join(folder, 'src/other.ts'), small(false))
  t.equal(await build(), 0)
  t.ok(existsSync(path.join(folder, 'dist/src/main.js')), 'the program is there again')
  const written = statSync(path.join(folder, 'dist/src/main.js')).mtimeMs
  t.equal(await build(), 0)
  t.equal(statSync(path.join(folder, 'dist/src/main.js')).mtimeMs, written)
})

async function exitCode (program: string, args: readonly string[]): Promise<number | null> {
  return await new Promise(resolve => {
    const child = execFile(program, args, () => { resolve(child.exitCode) })
  })
}
