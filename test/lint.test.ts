import path from 'node:path'
import { ESLint } from 'eslint'
import t from 'tap'
import tseslint from 'typescript-eslint'

const root = path.resolve(import.meta.dirname, '..')

const directionRules = new Set([
  'import-x/no-restricted-paths',
  'import-x/no-nodejs-modules',
  '@typescript-eslint/no-restricted-imports',
  'no-restricted-globals',
  'no-restricted-properties',
  'no-restricted-syntax'
])

// The files below exist only here, so the rules that need types are left out: without them a file costs milliseconds.
const eslint = new ESLint({
  cwd: root,
  ruleFilter: ({ ruleId }) => directionRules.has(ruleId),
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

const folders = ['ledger', 'provider', 'store', 'projections', 'history', 'audit', 'intake', 'exports', 'imports', 'erasure', 'http', 'embedded', 'simulator', 'commands'] as const
type Folder = typeof folders[number]

// Said here once more, and not read from the configuration: the test is the second opinion.
const mayImport: Record<Folder, readonly Folder[]> = {
  ledger: [],
  provider: ['ledger'],
  store: ['ledger'],
  projections: ['store', 'provider', 'ledger'],
  history: ['store', 'provider', 'ledger'],
  audit: ['store', 'provider', 'ledger'],
  intake: ['store', 'provider', 'ledger'],
  exports: ['store', 'ledger'],
  imports: ['exports', 'intake', 'store', 'provider', 'ledger'],
  erasure: ['projections', 'store', 'provider', 'ledger'],
  http: ['history', 'intake', 'store', 'projections', 'provider', 'ledger'],
  embedded: [],
  simulator: [],
  commands: ['ledger', 'provider', 'store', 'projections', 'history', 'audit', 'intake', 'exports', 'imports', 'erasure', 'http', 'embedded', 'simulator']
}

t.test('every arrow between the folders of src is allowed or refused by the table', async t => {
  for (const from of folders) {
    for (const to of folders.filter(folder => folder !== from)) {
      const allowed = mayImport[from].includes(to)
      // Types too: an arrow of types is an arrow.
      const found = await violations(`src/${from}/a.ts`, `import type { A } from '../${to}/b.ts'\nexport type B = A`)
      t.strictSame(found, allowed ? [] : ['import-x/no-restricted-paths'], `${from} → ${to} is ${allowed ? 'allowed' : 'refused'}`)
    }
  }
})

const refused: Array<[what: string, file: string, code: string, rule: string]> = [
  ['a folder deep down', 'src/provider/voucherify/families/a.ts', "import '../../../store/b.ts'", 'import-x/no-restricted-paths'],
  ['a dynamic import', 'src/ledger/a.ts', "await import('../store/b.ts')", 'import-x/no-restricted-paths'],
  ['a re-export', 'src/store/a.ts', "export * from '../projections/b.ts'", 'import-x/no-restricted-paths'],
  ['a file of src that the table does not name', 'src/http/a.ts', "import '../helpers.ts'", 'import-x/no-restricted-paths'],
  ['the command line, from a folder', 'src/http/a.ts', "import '../main.ts'", 'import-x/no-restricted-paths'],
  ['anything but commands, from main', 'src/main.ts', "import './store/pool.ts'", 'import-x/no-restricted-paths'],
  ['anything of ours, from config', 'src/config.ts', "import './store/pool.ts'", 'import-x/no-restricted-paths'],
  ['the configuration, from ledger', 'src/ledger/a.ts', "import type { Config } from '../config.ts'\nexport type C = Config", 'import-x/no-restricted-paths'],
  ['the configuration, from embedded', 'src/embedded/a.ts', "import type { Config } from '../config.ts'\nexport type C = Config", 'import-x/no-restricted-paths'],
  ['the configuration as a value', 'src/http/a.ts', "import { loadConfig } from '../config.ts'\nloadConfig()", '@typescript-eslint/no-restricted-imports'],
  ['the configuration as a value, deep down', 'src/http/routes/a.ts', "import { loadConfig } from '../../config.ts'\nloadConfig()", '@typescript-eslint/no-restricted-imports'],
  ["the provider's reading, from the simulator", 'src/simulator/a.ts', "import '../provider/voucherify/delivery.ts'", 'import-x/no-restricted-paths'],
  ['the ledger, from an oracle', 'src/simulator/oracle/a.ts', "import { fold } from '../../ledger/card.ts'\nfold()", 'import-x/no-restricted-paths'],
  ['a test helper', 'src/store/a.ts', "import '../../test/helpers.ts'", 'import-x/no-restricted-paths'],
  ['a script', 'src/commands/a.ts', "import '../../scripts/test.js'", 'import-x/no-restricted-paths'],
  ['ledger as a value, from store', 'src/store/a.ts', "import { fold } from '../ledger/card.ts'\nfold()", '@typescript-eslint/no-restricted-imports'],
  ['a file of ledger that only begins like one of those, from provider', 'src/provider/voucherify/a.ts', "import { a } from '../../ledger/facts.ts/a.ts'\na()", '@typescript-eslint/no-restricted-imports'],
  ['ledger as a value, from provider', 'src/provider/voucherify/a.ts', "import { fold } from '../../ledger/card.ts'\nfold()", '@typescript-eslint/no-restricted-imports'],
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
    (name): typeof refused[number] => [`${name}, from provider`, 'src/provider/voucherify/a.ts', `import '${name}'`, 'import-x/no-restricted-paths']
  ),
  ['an HTTP server, from provider', 'src/provider/voucherify/a.ts', "import 'node:http'", '@typescript-eslint/no-restricted-imports'],
  ...folders.filter(folder => folder !== 'ledger').flatMap(
    (folder): Array<typeof refused[number]> => [
      [`process.env, in ${folder}`, `src/${folder}/a.ts`, 'export const port = process.env.PORT', 'no-restricted-properties'],
      [`process.env taken apart, in ${folder}`, `src/${folder}/a.ts`, 'export const { env } = process', 'no-restricted-properties'],
      [`env of node:process, in ${folder}`, `src/${folder}/a.ts`, "import { env } from 'node:process'\nexport const port = env.PORT", '@typescript-eslint/no-restricted-imports']
    ]
  )
]

t.test('what else is refused', async t => {
  for (const [what, file, code, rule] of refused) {
    t.ok((await violations(file, code)).includes(rule), `${what}: ${rule}`)
  }
})

const accepted: Array<[what: string, file: string, code: string]> = [
  ['a neighbour', 'src/ledger/a.ts', "import { b } from './b.ts'\nb()"],
  ['a neighbour below', 'src/provider/a.ts', "import { b } from './voucherify/b.ts'\nb()"],
  ['ledger as a value, from projections', 'src/projections/a.ts', "import { fold } from '../ledger/card.ts'\nfold()"],
  ['ledger as a value, from http', 'src/http/a.ts', "import { fold } from '../ledger/card.ts'\nfold()"],
  ['the words of facts, from provider', 'src/provider/voucherify/families/a.ts', "import { INFORMED } from '../../../ledger/facts.ts'\nimport { parseInstant } from '../../../ledger/instant.ts'\nparseInstant(INFORMED)"],
  ['types of ledger, from provider', 'src/provider/voucherify/a.ts', "import type { Movement } from '../../ledger/movements.ts'\nexport type M = Movement"],
  ['the instant, from store', 'src/store/a.ts', "import { parseInstant } from '../ledger/instant.ts'\nparseInstant('')"],
  ['types of ledger, from store', 'src/store/a.ts', "import type { Movement } from '../ledger/movements.ts'\nexport type M = Movement"],
  ['types of the configuration, from http', 'src/http/a.ts', "import type { Config } from '../config.ts'\nexport type C = Config"],
  ['the configuration, from a command', 'src/commands/serve.ts', "import { loadConfig } from '../config.ts'\nloadConfig()"],
  ['the configuration and a command, from main', 'src/main.ts', "import { loadConfig } from './config.ts'\nimport { serve } from './commands/serve.ts'\nserve(loadConfig(process.env))"],
  ['how a body is signed, from the simulator', 'src/simulator/a.ts', "import { sign } from '../provider/voucherify/signature.ts'\nsign('', '')"],
  ['process.env, in config', 'src/config.ts', 'export const environment = process.env'],
  ['process.env, in a test', 'test/a.test.ts', 'export const environment = process.env'],
  ['all of src, from a test', 'test/a.test.ts', "import '../src/config.ts'\nimport '../src/store/pool.ts'\nimport '../src/ledger/card.ts'"],
  ['cryptography, from provider', 'src/provider/voucherify/signature.ts', "import { createHmac } from 'node:crypto'\ncreateHmac('sha256', '')"],
  ['a given date, in ledger', 'src/ledger/a.ts', 'export const at = (text: string) => new Date(text)'],
  ['SQL packages, from store', 'src/store/a.ts', "import pg from 'pg'\nexport const pool = new pg.Pool()"],
  ['the web framework, from http', 'src/http/a.ts', "import fastify from 'fastify'\nfastify()"]
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
