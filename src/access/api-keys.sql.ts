import { createHash, randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import type { Db } from '../postgres/database.ts'
import type { ApiKeyRow } from '../postgres/tables.ts'

/** `read`: customers, cards, orders. `operate`: all. */
export type Scope = ApiKeyRow['scope']
export type ApiKey = Pick<ApiKeyRow, 'key_id' | 'name' | 'scope'> & { created_at: string, revoked_at: string | null }

/** Makes a key. The token is shown once: only its digest is stored. */
export async function createKey (db: Db, name: string, scope: Scope): Promise<ApiKey & { token: string }> {
  const key_id = `key_${randomBytes(6).toString('hex')}`
  const token = `ll_${randomBytes(32).toString('base64url')}`
  const key = await db.insertInto('ledger.api_keys')
    .values({ key_id, name, scope, token_digest: digestOf(token) })
    .returning(['key_id', 'name', 'scope', 'created_at', 'revoked_at'])
    .executeTakeFirstOrThrow()
  return { ...key, token }
}

/** All keys, revoked ones included, oldest first. */
export async function listKeys (db: Db): Promise<ApiKey[]> {
  return await db.selectFrom('ledger.api_keys').select(['key_id', 'name', 'scope', 'created_at', 'revoked_at']).orderBy('created_at').execute()
}

/** Ends a key. @returns false when no key in force has that id */
export async function revokeKey (db: Db, key_id: string): Promise<boolean> {
  const { numUpdatedRows } = await db.updateTable('ledger.api_keys')
    .set({ revoked_at: sql`clock_timestamp()` })
    .where('key_id', '=', key_id).where('revoked_at', 'is', null)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** The key in force to which a token belongs; undefined if there is none. */
export async function findKey (db: Db, token: string): Promise<Pick<ApiKeyRow, 'key_id' | 'name' | 'scope'> | undefined> {
  return await db.selectFrom('ledger.api_keys').select(['key_id', 'name', 'scope'])
    .where('token_digest', '=', digestOf(token)).where('revoked_at', 'is', null)
    .executeTakeFirst()
}

/** Says whether any key was ever made. Revoking the last one does not end the protection. */
export async function hasKeys (db: Db): Promise<boolean> {
  return await db.selectFrom('ledger.api_keys').select('key_id').limit(1).executeTakeFirst() !== undefined
}

export function digestOf (token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
