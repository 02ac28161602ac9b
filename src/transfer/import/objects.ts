import type { Providers } from '../../providers/index.ts'
import type { Provider } from '../../providers/provider.ts'
import type { Entry } from './entry.ts'
import { pageObjects } from './json-pages.ts'

/** The objects in pages of a provider's API, each as the body of a delivery that carries it. */
export async function * pageEntries (file: string, { providers, start, limit_bytes }: { providers: Providers, start: number, limit_bytes: number }): AsyncGenerator<Entry> {
  for await (const { line, bytes, text } of pageObjects(file, { start, limit_bytes })) {
    const carried = text === undefined ? undefined : carry(text, providers)
    if (carried !== undefined) yield { line, bytes, ...carried }
    else yield { line, bytes, bad: text === undefined ? `an object of more than BODY_LIMIT_BYTES (${limit_bytes}) begins here` : unknownObject(text) }
  }
}

/** Lines, of which some can be objects of a provider's API. Whatever is none is a delivery. */
export async function * withObjects (entries: AsyncIterable<Entry>, providers: Providers): AsyncGenerator<Entry> {
  for await (const entry of entries) yield 'body' in entry ? { ...entry, ...carry(entry.body, providers) } : entry
}

function carry (text: Buffer, providers: Providers): { body: Buffer, provider: Provider } | undefined {
  for (const provider of providers.all) {
    const body = provider.files?.bodyOfObject(text.toString())
    if (body !== undefined) return { body, provider }
  }
  return undefined
}

function unknownObject (text: Buffer): string {
  return `an object that is not imported, or no JSON: ${JSON.stringify(text.toString().slice(0, 80))}`
}
