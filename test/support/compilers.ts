// Compiles each schema of the API once for all apps of a process: that is half of what it costs to open one.
import ajvCompiler from '@fastify/ajv-compiler'
import serializerCompiler from '@fastify/fast-json-stringify-compiler'
import type { FastifyServerOptions } from 'fastify'

type Compilers = NonNullable<NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']>

/** Compilers for `createApp` that keep what they have compiled, by the text of the schema. */
export const sharedCompilers: Compilers = {
  buildValidator: once(ajvCompiler()),
  buildSerializer: once(serializerCompiler())
}

function once<Build extends (schemas: never, options?: never) => (route: never) => unknown> (build: Build): Build {
  const compiled = new Map<string, unknown>()
  const kept = (schemas: never, options?: never) => {
    const compile = build(schemas, options)
    return (route: never): unknown => {
      const key = JSON.stringify([schemas, route])
      if (!compiled.has(key)) compiled.set(key, compile(route))
      return compiled.get(key)
    }
  }
  return kept as Build
}
