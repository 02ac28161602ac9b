// The bench: starts a PostgreSQL of its own, runs scenarios, prints one markdown table.
//
//   npm run bench                    quick: under three minutes
//   npm run bench -- full            everything, with more rounds and large logs
//   npm run bench -- quick ingest    only the scenarios named
import { openBenchCluster } from './cluster.ts'
import { databaseFor, type Bench, type Figure, type Size } from './scenario.ts'
import { scenarios } from './scenarios/index.ts'
import { reached, tableOf } from './table.ts'

const words = process.argv.slice(2)
const size: Size = words.includes('full') ? 'full' : 'quick'
const names = words.filter(word => word !== 'full' && word !== 'quick')
const unknown = names.filter(name => !scenarios.some(scenario => scenario.name === name))
if (unknown.length > 0) {
  console.error(`There is no scenario ${unknown.join(', ')}. There are: ${scenarios.map(({ name }) => name).join(', ')}.`)
  process.exit(2)
}

const log = (line: string): void => { console.error(line) }
const cluster = await openBenchCluster(log)
const figures: Figure[] = []
const failures: string[] = []
try {
  const bench: Bench = { cluster, size, rounds: size === 'full' ? 7 : 5, log, databaseFor: async contender => await databaseFor(cluster, contender) }
  for (const scenario of scenarios.filter(({ name }) => names.length === 0 || names.includes(name))) {
    const began = performance.now()
    // One that fails must not take what the others measured with it.
    figures.push(...await scenario.run(bench).catch((error: unknown) => {
      failures.push(`${scenario.name}: ${(error as Error).message}`)
      log(String((error as Error).stack))
      return []
    }))
    log(`${scenario.name}: ${((performance.now() - began) / 1000).toFixed(0)} s`)
  }
} finally {
  await cluster.close()
}
console.log(tableOf(figures))
if (!figures.every(reached)) console.log(`\n${figures.filter(figure => !reached(figure)).length} of ${figures.length} goals not reached.`)
if (failures.length > 0) {
  console.log(`\nWithout figures, since something was wrong:\n${failures.map(failure => `- ${failure}`).join('\n')}`)
  process.exitCode = 1
}
