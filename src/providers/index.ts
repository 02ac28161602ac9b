import { withIdPrefix, withoutForeignPrefixes } from './id-prefix.ts'
import { ownEvents } from './own-events.ts'
import type { EventReader, Provider } from './provider.ts'
import { voucherify } from './voucherify/provider.ts'

const NAME = /^[a-z][a-z0-9-]{0,31}$/

/**
 * Every provider there is. A new one is a folder of its own and one more name here: the first one's ids are stored as
 * they are.
 */
export const knownProviders = createProviders(voucherify)

/** The providers that a ledger hears from. */
export interface Providers {
  /** At least one, in the order of the list. */
  readonly all: readonly Provider[]
  /** The one whose ids are stored as they are. */
  readonly first: Provider
  /** Finds a provider by its name. */
  named: (name: string) => Provider | undefined
  /** Finds who reads stored events of a provider; also those that the ledger wrote itself. */
  readerNamed: (name: string) => EventReader | undefined
  /** Whose id it is, by its prefix. */
  ofId: (id: string) => Provider
  /** The id as its provider's payloads write it. */
  asSent: (id: string) => string
}

/**
 * Makes the list. The first provider's ids are stored as they are; those of each other one get its name and a colon
 * before them.
 * @throws RangeError when a name cannot be one, or is there twice
 */
export function createProviders (first: Provider, ...others: readonly Provider[]): Providers {
  requireNames([first, ...others, ownEvents])
  const prefixes = others.map(({ name }) => `${name}:`)
  // Alone it is used as it is: its functions are called for every event there is.
  const unprefixed = others.length === 0 ? first : withoutForeignPrefixes(first, prefixes)
  const prefixed = others.map(provider => withIdPrefix(provider, `${provider.name}:`))
  const all = [unprefixed, ...prefixed]
  const byName = new Map(all.map(provider => [provider.name, provider]))
  const ofId = (id: string): Provider => prefixed.find(({ name }) => id.startsWith(`${name}:`)) ?? unprefixed
  return {
    all,
    first: unprefixed,
    named: name => byName.get(name),
    readerNamed: name => byName.get(name) ?? (name === ownEvents.name ? ownEvents : undefined),
    ofId,
    asSent (id) {
      const { name } = ofId(id)
      return name === first.name ? id : id.slice(name.length + 1)
    }
  }
}

function requireNames (readers: ReadonlyArray<Pick<EventReader, 'name'>>): void {
  const names = readers.map(({ name }) => name)
  const unusable = names.find((name, index) => !NAME.test(name) || names.indexOf(name) < index)
  if (unusable !== undefined) throw new RangeError(`${JSON.stringify(unusable)} cannot name a provider: lower-case letters, digits and hyphens, each name once, and not ${ownEvents.name}`)
}
