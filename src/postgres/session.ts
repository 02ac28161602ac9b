import type pg from 'pg'

/** The settings a connection must have, and what it must be able to do. */
export interface Session {
  /** The role it acts as; undefined: whatever the login and DATABASE_URL make it. */
  role: string | undefined
  /** It never writes, so a standby or a read-only database will do. */
  readOnly: boolean
  settings: Readonly<Record<string, string>>
}

/** A connection that is not what the ledger needs. The message names what differs and what to do about it. */
export class SessionRefused extends Error {
  override name = 'SessionRefused'
  readonly code = 'session_refused'
}

/**
 * Says how the settings reached the server: `startup` with the connection, `statement` by `set_config` afterwards. A
 * pooler may drop the options of a connection; one that hands a session on without a reset shows the mark of the
 * session before.
 */
const MARK = 'loyalty_ledger.session'

/** The settings as startup options (`-c name=value`). They override those of the database, the role and the URL. */
export function startupOptions ({ settings }: Session): string {
  return Object.entries({ ...settings, [MARK]: 'startup' })
    .map(([name, value]) => `-c ${name}=${value.replace(/[\\ ]/g, '\\$&')}`)
    .join(' ')
}

/**
 * Checks once, right after connecting, that a connection has its settings. If a pooler dropped the startup options,
 * sets them by statement: a pooler in session mode keeps them for as long as the connection lasts.
 * @throws SessionRefused
 */
export async function establishSession (client: pg.ClientBase, session: Session): Promise<void> {
  let found = await readSession(client)
  if (found.mark === 'statement') throw new SessionRefused(HANDED_ON)
  if (found.mark !== 'startup') {
    await setAll(client, { ...session.settings, [MARK]: 'statement' })
    found = await readSession(client)
  }
  const differences = differencesOf(found, session)
  if (differences.length > 0) throw new SessionRefused(`The database connection is not what the ledger needs: ${differences.join('; ')}.`)
}

const HANDED_ON = 'The connection comes from a pooler that hands sessions on without a reset, so the role and the settings of one client would ' +
  'reach another. Run the pooler in session mode (PgBouncer: pool_mode = session, server_reset_query = DISCARD ALL), or connect to PostgreSQL itself.'

/** What a connection really has. */
interface FoundSession {
  mark: string | null
  role: string
  superuser: boolean
  standby: boolean
  default_transaction_read_only: string
  search_path: string
  synchronous_commit: string
  datestyle: string
  timezone: string
}

async function readSession (client: pg.ClientBase): Promise<FoundSession> {
  const { rows: [found] } = await client.query<FoundSession>(`
    select
      current_setting('${MARK}', true) as mark,
      current_user as role,
      coalesce((select rolsuper from pg_catalog.pg_roles where rolname = current_user), false) as superuser,
      pg_catalog.pg_is_in_recovery() as standby,
      current_setting('default_transaction_read_only') as default_transaction_read_only,
      current_setting('search_path') as search_path,
      current_setting('synchronous_commit') as synchronous_commit,
      current_setting('datestyle') as datestyle,
      current_setting('timezone') as timezone`)
  return found!
}

async function setAll (client: pg.ClientBase, settings: Readonly<Record<string, string>>): Promise<void> {
  await client.query('select set_config(name, value, false) from unnest($1::text[], $2::text[]) as setting (name, value)', [Object.keys(settings), Object.values(settings)])
}

function differencesOf (found: FoundSession, { role, readOnly, settings }: Session): string[] {
  const wrong = (['search_path', 'synchronous_commit', 'datestyle', 'timezone'] as const)
    .filter(name => settings[name] !== undefined && !agrees(name, found[name], settings[name]))
    .map(name => `${name} is ${JSON.stringify(found[name])} instead of ${JSON.stringify(settings[name])}`)
  return [
    ...(role !== undefined && found.role !== role ? [`it acts as ${found.role} instead of ${role} (DATABASE_ROLE)`] : []),
    ...(role !== undefined && found.superuser ? [`${found.role} is a superuser and could change stored events: alter role ${found.role} nosuperuser, or name another role in DATABASE_ROLE`] : []),
    ...(wrong.length > 0 ? [`${wrong.join(', ')}, although this connection asked for it: something between it and the database, such as a pooler or a login trigger, sets it otherwise`] : []),
    ...(!readOnly && found.standby ? ['the server is a standby, which cannot be written to: DATABASE_URL must name the primary'] : []),
    ...(!readOnly && found.default_transaction_read_only === 'on' ? ['default_transaction_read_only is on, so nothing can be stored: reset it for the database, the role or the server, or take it out of DATABASE_URL'] : [])
  ]
}

/** DateStyle also says in which order dates are read, which does not matter with ISO. */
function agrees (name: string, found: string, wanted: string): boolean {
  return name === 'datestyle' ? found.startsWith(wanted) : found === wanted
}
