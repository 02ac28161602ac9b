import { Type, type Static } from '@sinclair/typebox'
import { envSchema } from 'env-schema'

const DATABASE_URL = '^postgres(ql)?://[^/]'

/** All settings, by the names of their environment variables. `.env.example` has the same ones, for people. */
export const ConfigSchema = Type.Object({
  DATABASE_URL: Type.Optional(Type.String({ pattern: DATABASE_URL, description: 'PostgreSQL 15 or newer. Unset: a real PostgreSQL, embedded, in DATA_DIR.' })),
  DATABASE_ROLE: Type.String({ default: 'ledger_service', description: 'Role that the service acts as; it cannot change stored events. Empty: the login.' }),
  DATABASE_POOL_SIZE: Type.Integer({ default: 10, minimum: 3, maximum: 200, description: 'Database connections of a process: a third each for deliveries and for the worker, at most three, the rest for reads; one more listens.' }),
  DATABASE_TIMEOUT_MS: Type.Integer({ default: 10_000, minimum: 100, maximum: 3_600_000, description: 'How long a statement of the service may go unanswered before it is given up, with its connection.' }),
  DATA_DIR: Type.String({ default: '.data', minLength: 1, description: 'Where the embedded PostgreSQL and the generated secrets live.' }),
  HOST: Type.String({ default: '127.0.0.1', minLength: 1, description: 'Address to listen on. Beyond loopback, webhook secrets and an API key are required.' }),
  PORT: Type.Integer({ default: 3000, minimum: 0, maximum: 65535, description: 'Port to listen on; 0: a free one.' }),
  WEBHOOK_SECRETS: Type.String({ default: '', description: 'Secrets with which the provider signs webhooks, comma-separated, newest first.' }),
  ANCHOR_KEY_FILE: Type.Optional(Type.String({ description: 'Ed25519 private key (PEM, PKCS#8) that anchors are signed with. Unset with the embedded PostgreSQL: one is made in DATA_DIR.' })),
  ANCHOR_PUBLIC_KEY_FILE: Type.Optional(Type.String({ description: 'Its public half (PEM), where anchors are only verified. Unset: that of the private key.' })),
  SHARDS: Type.Integer({ default: 16, minimum: 1, maximum: 1024, description: 'Logical streams; read once, when the database is created.' }),
  LOG_LEVEL: Type.Unsafe<string>({
    type: 'string',
    enum: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    default: 'info',
    description: 'How much to log, as JSON lines on standard output.'
  }),
  BODY_LIMIT_BYTES: Type.Integer({ default: 1_048_576, minimum: 1024, maximum: 104_857_600, description: 'Size of the largest body that is read.' }),
  BODIES_LIMIT_BYTES: Type.Integer({ default: 67_108_864, minimum: 1024, maximum: 17_179_869_184, description: 'Memory for large bodies of deliveries that are being received; beyond it the answer is 503.' }),
  HTTP_CONNECTION_LIMIT: Type.Integer({ default: 1000, minimum: 1, maximum: 100_000, description: 'Connections of clients at once; further ones are closed.' }),
  APPEND_QUEUE_LIMIT: Type.Integer({ default: 10_000, minimum: 1, maximum: 1_000_000, description: 'Deliveries that may wait to be stored; beyond it the answer is 503.' }),
  PROJECTION_BATCH_EVENTS: Type.Integer({ default: 2000, minimum: 1, maximum: 100_000, description: 'Events a projection step folds at most.' }),
  VOUCHERIFY_API_URL: Type.String({ default: 'https://api.voucherify.io', pattern: '^(https://[^/]|http://(127\\.0\\.0\\.1|localhost|\\[::1\\])[:/]?)', description: 'Address of the provider\'s API; that of the project\'s region.' }),
  VOUCHERIFY_APP_ID: Type.String({ default: '', description: 'Id of an API key of the provider, for reconcile. A key that may only read is enough.' }),
  VOUCHERIFY_APP_TOKEN: Type.String({ default: '', description: 'Its secret part.' }),
  VOUCHERIFY_APP_TOKEN_FILE: Type.Optional(Type.String({ description: 'A file with the secret part, instead of VOUCHERIFY_APP_TOKEN.' })),
  RECONCILE_EVERY_MINUTES: Type.Integer({ default: 0, minimum: 0, maximum: 10_080, description: 'How often the worker reconciles with the provider; 0: never.' }),
  RECONCILE_CALLS_PER_MINUTE: Type.Integer({ default: 60, minimum: 1, maximum: 100_000, description: 'Calls a minute to the provider\'s API. Leave others some of the plan\'s limit.' }),
  RECONCILE_CALLS_PER_RUN: Type.Integer({ default: 10_000, minimum: 1, maximum: 100_000_000, description: 'Calls that one run makes at most; the next run continues.' }),
  SHUTDOWN_TIMEOUT_MS: Type.Integer({ default: 10_000, minimum: 100, maximum: 600_000, description: 'How long an orderly stop may take before the process ends anyway.' })
})

export type ConfigVariables = Static<typeof ConfigSchema>

/** How the API of a provider is reached. `token_file`: holds the token, if that is not given itself. */
export interface ApiSettings { url: string, id: string, token: string, token_file: string | undefined }

/** The settings of a process: read once, passed down, never changed. `APIS`: by the names of the providers. */
export type Config = Readonly<Omit<ConfigVariables, 'WEBHOOK_SECRETS' | ApiVariable> & { WEBHOOK_SECRETS: readonly string[], APIS: Readonly<Record<string, ApiSettings>> }>

type ApiVariable = 'VOUCHERIFY_API_URL' | 'VOUCHERIFY_APP_ID' | 'VOUCHERIFY_APP_TOKEN' | 'VOUCHERIFY_APP_TOKEN_FILE'

/** A setting that cannot be used. The message names the variable and what it must be. */
export class ConfigError extends Error {
  override name = 'ConfigError'
  readonly code = 'config_invalid'
}

/**
 * Reads the settings from environment variables. An empty variable counts as unset.
 * @throws ConfigError
 */
export function loadConfig (environment: NodeJS.ProcessEnv = process.env): Config {
  const present = Object.fromEntries(Object.entries(environment).filter(([name, value]) =>
    value !== undefined && (value.trim() !== '' || name === 'DATABASE_ROLE')))
  let variables: ConfigVariables
  try {
    variables = envSchema<ConfigVariables>({ schema: ConfigSchema, data: present, env: false, dotenv: false })
  } catch (error) {
    throw new ConfigError(describe(error as { errors?: Problem[], message: string }), { cause: error })
  }
  const secrets = variables.WEBHOOK_SECRETS.split(',').map(secret => secret.trim()).filter(secret => secret !== '')
  const { VOUCHERIFY_API_URL: url, VOUCHERIFY_APP_ID: id, VOUCHERIFY_APP_TOKEN: token, VOUCHERIFY_APP_TOKEN_FILE: token_file, ...others } = variables
  const APIS = Object.freeze({ voucherify: Object.freeze({ url: url.replace(/\/+$/, ''), id: id.trim(), token: token.trim(), token_file }) })
  return Object.freeze({ ...others, WEBHOOK_SECRETS: Object.freeze(secrets), APIS })
}

function expected ({ keyword, message, params }: Problem): string {
  if (keyword === 'pattern') return params?.pattern === DATABASE_URL ? 'must look like postgres://user:password@host:5432/database' : 'must look like https://api.example.com'
  return Array.isArray(params?.allowedValues) ? `must be one of ${params.allowedValues.join(', ')}` : message ?? 'is not usable'
}

interface Problem { keyword?: string, instancePath?: string, message?: string, params?: Record<string, unknown> }

function describe (error: { errors?: Problem[], message: string }): string {
  const lines = (error.errors ?? []).map(problem => {
    const name = (problem.instancePath ?? '').replace('/', '') as keyof typeof ConfigSchema.properties
    const about = (ConfigSchema.properties[name] as { description?: string } | undefined)?.description
    return `${name} ${expected(problem)}${about === undefined ? '' : `. ${about}`}`
  })
  return lines.length === 0 ? error.message : [...new Set(lines)].join('\n')
}
