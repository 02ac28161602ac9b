import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { ESLint } from 'eslint'
import t from 'tap'
import ts from 'typescript'
import tseslint from 'typescript-eslint'
import { root } from './support/root.ts'

const houseRules = new Set([
  'import-x/no-restricted-paths',
  'import-x/no-nodejs-modules',
  '@typescript-eslint/no-restricted-imports',
  'no-restricted-globals',
  'no-restricted-properties',
  'no-restricted-syntax',
  'providers/unnamed',
  '@stylistic/max-len',
  'language/plain-words'
])

// The files below exist only here, so the rules that need types are left out: without them a file costs milliseconds.
const eslint = new ESLint({
  cwd: root,
  ruleFilter: ({ ruleId }) => houseRules.has(ruleId),
  overrideConfig: {
    ...tseslint.configs.disableTypeChecked,
    languageOptions: { parserOptions: { projectService: false } }
  } as NonNullable<ESLint.Options['overrideConfig']>
})

async function violations (file: string, code: string): Promise<string[]> {
  const [result] = await eslint.lintText(`${code}\n`, { filePath: path.join(root, file) })
  const fatal = result?.messages.find(message => message.fatal)
  if (fatal !== undefined) throw new Error(`${file} was not linted: ${fatal.message}`)
  if (result === undefined || result.messages.some(message => message.ruleId === null)) throw new Error(`${file} is ignored`)
  return result.messages.map(message => message.ruleId ?? '')
}

// The rooms of src, bottom up. They are repeated here and not read from the configuration, so that the test is
// independent of it.
const rooms = [
  'ledger', 'files', 'postgres', 'providers', 'log', 'ingest', 'engine', 'projections', 'history', 'reconcile', 'transfer', 'erasure', 'audit', 'access', 'http', 'app', 'cli'
] as const

async function isRefused (from: string, to: string): Promise<boolean> {
  // Types too: an arrow of types is an arrow.
  return (await violations(`src/${from}/a.ts`, `import type { A } from '../${to}/b.ts'\nexport type B = A`)).includes('import-x/no-restricted-paths')
}

t.test('no room imports one below it, and none the simulator but the command line', async t => {
  for (const [index, from] of rooms.entries()) {
    for (const to of rooms.slice(index + 1)) t.ok(await isRefused(from, to), `${from} → ${to} is refused`)
    t.equal(await isRefused(from, '../simulator'), from !== 'cli', `${from} → simulator`)
  }
})

t.test('every room is in the table, and the folders of src are the rooms', async t => {
  const folders = readdirSync(path.join(root, 'src'), { withFileTypes: true }).filter(entry => entry.isDirectory()).map(({ name }) => name)
  t.strictSame(folders.toSorted(), [...rooms].toSorted())
  for (const room of rooms) t.ok(await isRefused(room, 'a-room-that-nobody-named'), `${room} has a row`)
})

/** What each file of src and simulator imports of these two; types count too. */
function readImports (): Map<string, string[]> {
  const files = ['src', 'simulator'].flatMap(folder => readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.ts')).map(file => path.posix.join(folder, file)))
  return new Map(files.map(file => {
    const imports = readFileSync(path.join(root, file), 'utf8').matchAll(/(?:\bfrom|\bimport\(?)\s*'(\.[^']+\.ts)'/g)
    return [file, Array.from(imports, ([, target = '']) => path.posix.join(path.posix.dirname(file), target))]
  }))
}

/** @returns the files of one circle, the first of them again at the end; empty if there is none */
function circleIn (imports: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>()
  const visit = (file: string, trail: string[]): string[] => {
    if (trail.includes(file)) return [...trail.slice(trail.indexOf(file)), file]
    if (done.has(file)) return []
    for (const next of imports.get(file) ?? []) {
      const circle = visit(next, [...trail, file])
      if (circle.length > 0) return circle
    }
    done.add(file)
    return []
  }
  return [...imports.keys()].map(file => visit(file, [])).find(circle => circle.length > 0) ?? []
}

t.test('the files import in no circle, and no room imports one below it', async t => {
  t.strictSame(circleIn(new Map([['a', ['b']], ['b', ['c', 'd']], ['c', []], ['d', ['b']]])), ['b', 'd', 'b'], 'a circle is found')
  const imports = readImports()
  t.ok([...imports.values()].flat().every(target => imports.has(target)), 'every import is of a file that is there')
  t.ok([...imports.values()].flat().length > 800, 'imports are read')
  t.strictSame(circleIn(imports), [])
  const height = (file: string): number => rooms.findIndex(room => file.startsWith(`src/${room}/`))
  const upwards = [...imports].flatMap(([file, targets]) => targets.filter(target => height(file) >= 0 && height(target) > height(file)).map(target => `${file} → ${target}`))
  t.strictSame(upwards, [])
})

const refused: Array<[what: string, file: string, code: string, rule: string]> = [
  ['a folder deep down', 'src/providers/voucherify/families/a.ts', "import '../../../log/b.ts'", 'import-x/no-restricted-paths'],
  ['a dynamic import', 'src/ledger/a.ts', "await import('../log/b.ts')", 'import-x/no-restricted-paths'],
  ['a re-export', 'src/log/a.ts', "export * from '../projections/b.ts'", 'import-x/no-restricted-paths'],
  ['a file of src that the table does not name', 'src/http/a.ts', "import '../helpers.ts'", 'import-x/no-restricted-paths'],
  ['the command line, from a folder', 'src/http/a.ts', "import '../main.ts'", 'import-x/no-restricted-paths'],
  ['a room below the command line, from main', 'src/main.ts', "import './log/append.sql.ts'", 'import-x/no-restricted-paths'],
  ['anything of ours, from config', 'src/config.ts', "import './postgres/database.ts'", 'import-x/no-restricted-paths'],
  ['the configuration, from ledger', 'src/ledger/a.ts', "import type { Config } from '../config.ts'\nexport type C = Config", 'import-x/no-restricted-paths'],
  ['the configuration, from embedded', 'src/postgres/embedded/a.ts', "import type { Config } from '../../config.ts'\nexport type C = Config", 'import-x/no-restricted-paths'],
  ['the configuration, from http', 'src/http/a.ts', "import type { Config } from '../config.ts'\nexport type C = Config", 'import-x/no-restricted-paths'],
  ['the configuration as a value', 'src/app/a.ts', "import { loadConfig } from '../config.ts'\nloadConfig()", '@typescript-eslint/no-restricted-imports'],
  ['the configuration as a value, deep down', 'src/cli/support/a.ts', "import { loadConfig } from '../../config.ts'\nloadConfig()", '@typescript-eslint/no-restricted-imports'],
  ["the provider's reading, from the simulator", 'simulator/a.ts', "import '../src/providers/voucherify/identify.ts'", 'import-x/no-restricted-paths'],
  ['the ledger, from an oracle', 'simulator/oracle/a.ts', "import { fold } from '../../src/ledger/card.ts'\nfold()", 'import-x/no-restricted-paths'],
  ['a test helper', 'src/log/a.ts', "import '../../test/helpers.ts'", 'import-x/no-restricted-paths'],
  ['a test helper, from the simulator', 'simulator/a.ts', "import '../test/helpers.ts'", 'import-x/no-restricted-paths'],
  ['SQL, outside of .sql.ts', 'src/engine/a.ts', "import { sql } from 'kysely'\nsql``", '@typescript-eslint/no-restricted-imports'],
  ['the driver, outside of postgres', 'src/http/routes/a.ts', "import pg from 'pg'\npg.Pool", '@typescript-eslint/no-restricted-imports'],
  ['process.env, in main', 'src/main.ts', 'export const port = process.env.PORT', 'no-restricted-properties'],
  ['a script', 'src/cli/a.ts', "import '../../scripts/test.js'", 'import-x/no-restricted-paths'],
  ['ledger as a value, from postgres', 'src/postgres/a.ts', "import { fold } from '../ledger/card.ts'\nfold()", '@typescript-eslint/no-restricted-imports'],
  ['a file of ledger that only begins like one of those, from provider', 'src/providers/voucherify/a.ts', "import { a } from '../../ledger/facts.ts/a.ts'\na()", '@typescript-eslint/no-restricted-imports'],
  ['ledger as a value, from provider', 'src/providers/voucherify/a.ts', "import { fold } from '../../ledger/card.ts'\nfold()", '@typescript-eslint/no-restricted-imports'],
  ['Node, from ledger', 'src/ledger/a.ts', "import 'node:crypto'", 'import-x/no-nodejs-modules'],
  ['Node by its old name, from ledger', 'src/ledger/a.ts', "import 'fs'", 'import-x/no-nodejs-modules'],
  ['a package, from ledger', 'src/ledger/a.ts', "import '@sinclair/typebox'", 'import-x/no-restricted-paths'],
  ['a type of a package, from ledger', 'src/ledger/a.ts', "import type { Pool } from 'pg'\nexport type P = Pool", 'import-x/no-restricted-paths'],
  ["Node's globals, in ledger", 'src/ledger/a.ts', "Buffer.from('')", 'no-restricted-globals'],
  ['the clock, in ledger', 'src/ledger/a.ts', 'Date.now()', 'no-restricted-properties'],
  ['the clock as a date, in ledger', 'src/ledger/a.ts', 'export const now = new Date()', 'no-restricted-syntax'],
  ['chance, in ledger', 'src/ledger/a.ts', 'Math.random()', 'no-restricted-properties'],
  ['the environment, in ledger', 'src/ledger/a.ts', 'export const { env } = process', 'no-restricted-globals'],
  ...['fastify', '@fastify/swagger', 'fastify-plugin', 'pg', 'kysely', 'node-pg-migrate'].map(
    (name): typeof refused[number] => [`${name}, from provider`, 'src/providers/voucherify/a.ts', `import '${name}'`, 'import-x/no-restricted-paths']
  ),
  ["a provider's folder, from another room", 'src/ingest/a.ts', "import { identify } from '../providers/voucherify/identify.ts'\nidentify()", 'providers/unnamed'],
  ["a provider's folder, from beside it", 'src/providers/person.ts', "import { voucherify } from './voucherify/provider.ts'\nvoucherify()", 'providers/unnamed'],
  ['a provider by its name', 'src/http/a.ts', "export const path = '/webhooks/voucherify'", 'providers/unnamed'],
  ['a provider in a template', 'src/http/a.ts', 'export const title = `of Voucherify`', 'providers/unnamed'],
  ['a provider by its name, in the help of the command line', 'src/cli/program/a.ts', "export const help = 'Webhooks of Voucherify'", 'providers/unnamed'],
  ['a provider in an identifier', 'src/app/a.ts', 'export const voucherifySecrets = []', 'providers/unnamed'],
  ['a provider in a comment', 'src/engine/a.ts', '// As Voucherify sends it.\nexport const a = 1', 'providers/unnamed'],
  ['an HTTP server, from provider', 'src/providers/voucherify/a.ts', "import 'node:http'", '@typescript-eslint/no-restricted-imports'],
  ...rooms.filter(room => room !== 'ledger').flatMap(
    (room): Array<typeof refused[number]> => [
      [`process.env, in ${room}`, `src/${room}/a.ts`, 'export const port = process.env.PORT', 'no-restricted-properties'],
      [`process.env taken apart, in ${room}`, `src/${room}/a.ts`, 'export const { env } = process', 'no-restricted-properties'],
      [`env of node:process, in ${room}`, `src/${room}/a.ts`, "import { env } from 'node:process'\nexport const port = env.PORT", '@typescript-eslint/no-restricted-imports']
    ]
  ),
  ...['src/http/a.ts', 'simulator/a.ts', 'test/a.test.ts', 'scripts/a.js'].flatMap((file): Array<typeof refused[number]> => [
    [`a line comment of 121 columns, in ${file}`, file, `// ${'x '.repeat(59)}`, '@stylistic/max-len'],
    [`a documentation comment of 121 columns, in ${file}`, file, `/**\n * ${'x '.repeat(59)}\n */\nexport const a = 1`, '@stylistic/max-len']
  ]),
  ['a word of the old idiom, in a comment', 'src/http/a.ts', '// What the event told us.', 'language/plain-words'],
  ['one in a documentation comment, with a capital', 'src/http/a.ts', '/** Sightings of a movement. */\nexport const a = 1', 'language/plain-words'],
  ['two words, in a string', 'src/http/a.ts', "export const a = 'the card stands still'", 'language/plain-words'],
  ['one in a message with values', 'src/http/a.ts', 'export const a = (id: string) => `$' + '{id} is put away`', 'language/plain-words']
]

t.test('what else is refused', async t => {
  for (const [what, file, code, rule] of refused) {
    t.ok((await violations(file, code)).includes(rule), `${what}: ${rule}`)
  }
})

const accepted: Array<[what: string, file: string, code: string]> = [
  ['a neighbour', 'src/ledger/a.ts', "import { b } from './b.ts'\nb()"],
  ['a provider, from the list of them', 'src/providers/index.ts', "import { voucherify } from './voucherify/provider.ts'\nvoucherify()"],
  ['a provider by its name, in its own folder', 'src/providers/voucherify/a.ts', "export const name = 'voucherify'"],
  ['ledger as a value, from projections', 'src/projections/a.ts', "import { fold } from '../ledger/card.ts'\nfold()"],
  ['ledger as a value, from http', 'src/http/a.ts', "import { fold } from '../ledger/card.ts'\nfold()"],
  ['the words of facts, from provider', 'src/providers/voucherify/families/a.ts', "import { SOURCE_RANK } from '../../../ledger/facts.ts'\nimport { parseInstant } from '../../../ledger/instant.ts'\nparseInstant(SOURCE_RANK)"],
  ['types of ledger, from provider', 'src/providers/voucherify/a.ts', "import type { Movement } from '../../ledger/movements.ts'\nexport type M = Movement"],
  ['the instant, from postgres', 'src/postgres/a.ts', "import { parseInstant } from '../ledger/instant.ts'\nparseInstant('')"],
  ['types of ledger, from postgres', 'src/postgres/a.ts', "import type { Movement } from '../ledger/movements.ts'\nexport type M = Movement"],
  ['types of the configuration, from app', 'src/app/a.ts', "import type { Config } from '../config.ts'\nexport type C = Config"],
  ['types of SQL packages, anywhere', 'src/app/a.ts', "import type pg from 'pg'\nexport type P = pg.Pool"],
  ['the configuration and a command, from main', 'src/main.ts', "import { loadConfig } from './config.ts'\nimport { serve } from './cli/serve.ts'\nserve(loadConfig())"],
  ['how a body is signed, from the simulator', 'simulator/a.ts', "import { sign } from '../src/providers/voucherify/wire/signature.ts'\nsign('', '')"],
  ['process.env, in config', 'src/config.ts', 'export const environment = process.env'],
  ['process.env, in a test', 'test/a.test.ts', 'export const environment = process.env'],
  ['all of src, from a test', 'test/a.test.ts', "import '../src/config.ts'\nimport '../src/log/append.sql.ts'\nimport '../src/ledger/card.ts'"],
  ['cryptography, from provider', 'src/providers/voucherify/wire/signature.ts', "import { createHmac } from 'node:crypto'\ncreateHmac('sha256', '')"],
  ['a given date, in ledger', 'src/ledger/a.ts', 'export const at = (text: string) => new Date(text)'],
  ['SQL packages, from a file of SQL', 'src/projections/cards/rows.sql.ts', "import { sql } from 'kysely'\nsql``"],
  ['SQL packages, from postgres', 'src/postgres/a.ts', "import pg from 'pg'\nexport const pool = new pg.Pool()"],
  ['the web framework, from http', 'src/http/a.ts', "import fastify from 'fastify'\nfastify()"],
  ['a comment of 120 columns', 'src/http/a.ts', `// ${'x '.repeat(58)}x`],
  ['a wide line of code', 'src/http/a.ts', `export const a = '${'x '.repeat(100)}'`],
  ['a wide comment with an address', 'src/http/a.ts', `// https://example.com/${'x'.repeat(120)}`],
  ['a longer word, and an identifier', 'src/http/a.ts', "export const untellable = 'clockwise'"],
  ['the old idiom, in a test', 'test/a.test.ts', '// What the event told us.']
]

t.test('what is accepted', async t => {
  for (const [what, file, code] of accepted) {
    t.strictSame(await violations(file, code), [], what)
  }
})

t.test('the rules that need types are on, as errors', async t => {
  const asConfigured = new ESLint({ cwd: root })
  for (const file of ['src/http/app.ts', 'test/lint.test.ts']) {
    const config = await asConfigured.calculateConfigForFile(path.join(root, file)) as { rules: Record<string, [number]> }
    for (const rule of ['no-floating-promises', 'no-misused-promises', 'switch-exhaustiveness-check', 'consistent-type-imports', 'no-explicit-any', 'no-unnecessary-condition']) {
      t.equal(config.rules[`@typescript-eslint/${rule}`]?.[0], 2, `${rule} in ${file}`)
    }
  }
})

/** The names that a file exports by declaring or listing them. A schema and the type made of it share one. */
function exportedNames (text: string): Set<string> {
  const names = ts.createSourceFile('a.ts', text, ts.ScriptTarget.Latest).statements.flatMap((statement): string[] => {
    if (ts.isExportDeclaration(statement)) {
      // With `from` it is the same thing once more, as a folder's index shows it.
      if (statement.moduleSpecifier !== undefined || statement.exportClause === undefined || !ts.isNamedExports(statement.exportClause)) return []
      return statement.exportClause.elements.map(({ name }) => name.text)
    }
    if (!ts.canHaveModifiers(statement)) return []
    const modifiers = ts.getModifiers(statement)?.map(({ kind }) => kind) ?? []
    if (!modifiers.includes(ts.SyntaxKind.ExportKeyword) || modifiers.includes(ts.SyntaxKind.DefaultKeyword)) return []
    if (ts.isVariableStatement(statement)) return statement.declarationList.declarations.flatMap(({ name }) => ts.isIdentifier(name) ? [name.text] : [])
    const { name } = statement as ts.DeclarationStatement
    return name !== undefined && ts.isIdentifier(name) ? [name.text] : []
  })
  return new Set(names)
}

/** Names that more than one file exports, each with its files. */
function sharedNames (files: ReadonlyArray<[file: string, text: string]>): string[] {
  const byName = new Map<string, string[]>()
  for (const [file, text] of files) {
    for (const name of exportedNames(text)) byName.set(name, [...byName.get(name) ?? [], file])
  }
  return [...byName].filter(([, files]) => files.length > 1).map(([name, files]) => `${name}: ${files.join(', ')}`)
}

t.test('an exported name is exported by one file of src only', async t => {
  const read = (file: string): [string, string] => [file, readFileSync(path.join(root, 'src', file), 'utf8')]
  const files = readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts')).sort()
  t.ok(files.length > 100)
  t.strictSame(sharedNames(files.map(read)), [], 'rename all but one')

  const planted: Array<[string, string]> = [
    ['a.ts', 'export const Card = 1\nexport type Card = number\nexport default function app () {}\nconst hidden = 2'],
    ['b.ts', 'export interface Card {}\nexport async function * walk () {}\nexport const [one] = [1], walked = 2'],
    ['c.ts', "const hidden = 1, walked = 3\nexport { walked, hidden as walk }\nexport { Card } from './a.ts'\nexport default function app () {}"]
  ]
  t.strictSame(sharedNames(planted), ['Card: a.ts, b.ts', 'walk: b.ts, c.ts', 'walked: b.ts, c.ts'])
})
