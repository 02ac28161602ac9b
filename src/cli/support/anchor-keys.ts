import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../../config.ts'
import { CommandError } from '../../app/errors.ts'
import { makeOnce } from '../../app/webhook-secrets.ts'

const FILE = 'anchor.key'
const HOW_TO_MAKE = '`openssl genpkey -algorithm ed25519 -out anchor.key` makes one'

/**
 * The private key that anchors are signed with: ANCHOR_KEY_FILE, or with the embedded database a key that is made once
 * and kept in DATA_DIR.
 * @throws CommandError anchor_key_missing, anchor_key_unusable, data_dir_unusable
 */
export async function signingKey (config: Config): Promise<KeyObject> {
  const file = config.ANCHOR_KEY_FILE ?? ownKeyFile(config)
  if (file === undefined) {
    throw new CommandError('anchor_key_missing', `An anchor must be signed: set ANCHOR_KEY_FILE to an Ed25519 private key (PEM). ${HOW_TO_MAKE}; keep it where those who can change the database cannot read it.`)
  }
  if (config.ANCHOR_KEY_FILE === undefined) await keepOwnKey(config.DATA_DIR, file)
  return await readKey(file, createPrivateKey)
}

/**
 * The public key that anchors are checked with: ANCHOR_PUBLIC_KEY_FILE, otherwise the public half of the private key.
 * @throws CommandError anchor_key_missing, anchor_key_unusable
 */
export async function trustedKey (config: Config): Promise<KeyObject> {
  const file = config.ANCHOR_PUBLIC_KEY_FILE ?? config.ANCHOR_KEY_FILE ?? ownKeyFile(config)
  if (file === undefined || (file === ownKeyFile(config) && !existsSync(file))) {
    throw new CommandError('anchor_key_missing', 'Checking an anchor needs the key it was signed with. Set ANCHOR_PUBLIC_KEY_FILE to the public key (PEM), which `openssl pkey -in anchor.key -pubout` prints, or ANCHOR_KEY_FILE to the private key.')
  }
  // If the file holds a private key, createPublicKey derives the public one.
  return await readKey(file, createPublicKey)
}

function ownKeyFile (config: Config): string | undefined {
  return config.DATABASE_URL === undefined ? join(config.DATA_DIR, FILE) : undefined
}

async function keepOwnKey (folder: string, file: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true })
    if (!existsSync(file)) await makeOnce(file, generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())
  } catch (error) {
    throw new CommandError('data_dir_unusable', `The anchor key cannot be stored in ${folder}: ${(error as Error).message}. Choose a writable DATA_DIR, or set ANCHOR_KEY_FILE.`, { cause: error })
  }
}

async function readKey (file: string, create: (pem: string) => KeyObject): Promise<KeyObject> {
  try {
    return create(await readFile(file, 'utf8'))
  } catch (error) {
    throw new CommandError('anchor_key_unusable', `The anchor key ${file} cannot be read: ${(error as Error).message}. An Ed25519 key as PEM is needed; ${HOW_TO_MAKE}.`, { cause: error })
  }
}
