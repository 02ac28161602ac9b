import type { Config } from '../config.ts'
import { createKey, listKeys, revokeKey, type Scope } from '../access/api-keys.sql.ts'
import { CommandError } from '../app/errors.ts'
import { withLedger } from '../app/open.ts'
import { say, table, type Output } from '../app/output.ts'

/** `keys create NAME`: makes an API key and shows its token, once. */
export async function keysCreateCommand (config: Config, output: Output, name: string, scope: Scope): Promise<void> {
  if (!/^[\p{L}\p{N}][^\p{C}]{0,99}$/u.test(name)) throw new CommandError('key_name_invalid', 'Give the key a name of 1 to 100 printable characters that begins with a letter or digit: who or what will use it.')
  const key = await withLedger(config, async db => await createKey(db, name, scope))
  say(output, key, `${key.token}\n\nThis is key ${key.key_id} (${key.name}, scope ${key.scope}). It is shown only now: the ledger keeps its digest.\nUse it as  authorization: Bearer ${key.token}`)
}

/** `keys list`: every key there ever was. */
export async function keysListCommand (config: Config, output: Output): Promise<void> {
  const keys = await withLedger(config, listKeys)
  const rows = keys.map(key => [key.key_id, key.name, key.scope, key.created_at, key.revoked_at ?? 'in force'])
  say(output, { items: keys }, keys.length === 0 ? 'There is no API key yet: reads are open to this machine only.' : table(['key', 'name', 'scope', 'created_at', 'revoked_at'], rows))
}

/** `keys revoke KEY`: ends a key; servers notice within seconds. */
export async function keysRevokeCommand (config: Config, output: Output, keyId: string): Promise<void> {
  const revoked = await withLedger(config, async db => await revokeKey(db, keyId))
  if (!revoked) throw new CommandError('key_not_found', `No key in force has the id ${keyId}. \`npx loyalty-ledger keys list\` shows them.`)
  say(output, { revoked: keyId }, `Revoked ${keyId}. Running servers refuse it within two seconds.`)
}
