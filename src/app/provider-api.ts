import { readFile } from 'node:fs/promises'
import type { Config } from '../config.ts'
import { knownProviders } from '../providers/index.ts'
import type { ApiAccess } from '../reconcile/calls.ts'
import type { AskedProvider } from '../reconcile/reconcile.ts'
import { CommandError } from './errors.ts'

/** The provider that is asked, and how its API is reached. */
export interface ProviderApi { provider: AskedProvider, access: ApiAccess }

/** The provider that can be asked: the first one that has an API. @throws CommandError api_unknown */
export function askedProvider (): AskedProvider {
  for (const provider of knownProviders.all) {
    if (provider.pull !== undefined) return { ...provider, pull: provider.pull }
  }
  throw new CommandError('api_unknown', 'No provider of this ledger has an API that can be asked.')
}

/**
 * The provider that can be asked, and its API as the settings name it.
 * @throws CommandError api_unknown, api_key_missing, api_key_unreadable
 */
export async function providerApi (config: Config): Promise<ProviderApi> {
  const provider = askedProvider()
  const { settings: names, default_url } = provider.pull
  const { url, id, ...given } = config.APIS[provider.name] ?? { url: default_url, id: '', token: '', token_file: undefined }
  const token = given.token === '' && given.token_file !== undefined ? await tokenIn(given.token_file, names.token) : given.token
  const missing = [...(id === '' ? [names.id] : []), ...(token === '' ? [`${names.token} (or ${names.token}_FILE)`] : [])]
  if (missing.length === 0) return { provider, access: { url, id, token } }
  throw new CommandError('api_key_missing', `${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} unset: reconcile asks the API of ${provider.webhook.title}, which needs a key. A key that may only read is enough: docs/reconcile.md says how to make one.`)
}

async function tokenIn (file: string, setting: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    throw new CommandError('api_key_unreadable', `${setting}_FILE is ${file}, which cannot be read: ${(error as Error).message}.`, { cause: error })
  }
}
