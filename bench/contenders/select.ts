import { program, type Contender } from './contender.ts'

/** What a user would write to show a balance: one row by its primary key, as JSON. Reads the ledger's own tables. */
export const select: Contender = { name: 'Fastify, one select', command: program('select.program.ts') }
