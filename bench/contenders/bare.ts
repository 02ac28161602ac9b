import { program, type Contender } from './contender.ts'

/** The ceiling: checks the signature, parses, answers; stores nothing. */
export const bare: Contender = { name: 'bare Fastify', command: program('bare.program.ts') }
