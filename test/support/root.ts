import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of package.json: sources, samples and migrations are read from there, wherever the compiled test lies. */
export const root = dirname(fileURLToPath(import.meta.resolve('#root/package.json')))
