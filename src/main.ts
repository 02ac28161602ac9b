#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { createOutput } from './app/output.ts'
import { createProgram } from './cli/program.ts'
import { loadConfig } from './config.ts'

// Let the heap grow to 2× live data instead of V8's 4×: more frequent collections, less memory (docs/operations.md,
// Memory).
setFlagsFromString('--heap-growing-percent=100')

const about = JSON.parse(readFileSync(new URL(import.meta.resolve('#root/package.json')), 'utf8')) as { description: string, version: string }

await createProgram({ about, loadConfig, createOutput }).parseAsync()
