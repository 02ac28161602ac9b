import type { Config } from '../config.ts'
import { createKey, listKeys, revokeKey, type Scope } from '../access/api-keys.sql.ts'
import { CommandError } from '../app/errors.ts'
import { withLedger } from '../app/open.ts'
import { writeResult, table, type Output } from '../app/output.ts'

/** `keys create NAME`: creates an API key and prints its token, which is shown only once. */
export async function keysCreateCommand (config: Config, output: Output, name: string, scope: Scope): Promise<void> {
  if (!/^[\p{L}\p{N}][^\p{C}]{0,99}$/u.test(name)) throw new CommandError('key_name_invalid', 'Give the key a name of 1 to 100 printable characters that starts with a letter or digit. It should say who or what uses the key.')
  const key = await withLedger(config, async db => await createKey(db, name, scope))
  writeResult(output, key, `${key.token}\n\nThis is key ${key.key_id} (${key.name}, scope ${key.scope}). The token is shown only now: the ledger stores its digest.\nSend it as  authorization: Bearer ${key.token}`)
}

/** `keys list`: lists all keys, including revoked ones. */
export async function keysListCommand (config: Config, output: Output): Promise<void> {
  const keys = await withLedger(config, listKeys)
  const rows = keys.map(key => [key.key_id, key.name, key.scope, key.created_at, key.revoked_at ?? 'active'])
  writeResult(output, { items: keys }, keys.length === 0 ? 'There is no API key yet: only this machine can read.' : table(['key', 'name', 'scope', 'created_at', 'revoked_at'], rows))
}

/** `keys revoke KEY`: revokes a key; running servers refuse it within two seconds. */
export async function keysRevokeCommand (config: Config, output: Output, keyId: string): Promise<void> {
  const revoked = await withLedger(config, async db => await revokeKey(db, keyId))
  if (!revoked) throw new CommandError('key_not_found', `No active key has the id ${keyId}. \`npx loyalty-ledger keys list\` lists the keys.`)
  writeResult(output, { revoked: keyId }, `Revoked ${keyId}. Running servers refuse it within two seconds.`)
}
