import { readStandings } from '../checkpoints.sql.ts'
import type { Db } from '../../postgres/database.ts'
import type { Tables } from '../../postgres/tables.ts'
import type { Projection } from '../projection.ts'
import type { Positions } from '../step.ts'

/** The tables of some projections. */
export function tablesOf (projections: readonly Projection[]): Array<keyof Tables> {
  return projections.flatMap(({ tables }) => tables.map(({ name }) => name))
}

/** The furthest that any of some projections stands among the live ones, by shard. */
export async function livePositions (db: Db, projections: readonly Projection[]): Promise<Positions> {
  const positions = new Map<number, bigint>()
  for (const { projection, shard, position } of await readStandings(db, 'projection')) {
    if (projections.some(({ name }) => name === projection) && position > (positions.get(shard) ?? -1n)) positions.set(shard, position)
  }
  return positions
}

/** The live projections whose rows this version of the code would fold otherwise, and by which version they were. */
export interface Outdated { name: string, version: number, live: number | undefined }

/** @param versions by which version of its rules each projection's rows were folded */
export function outdatedOf (projections: readonly Projection[], versions: ReadonlyMap<string, number>): Outdated[] {
  return projections
    .filter(({ name, version }) => versions.get(name) !== version)
    .map(({ name, version }) => ({ name, version, live: versions.get(name) }))
}

/** What to do about them, for people. */
export function describeOutdated (outdated: readonly Outdated[]): string {
  const named = outdated.map(({ name, version, live }) => live === undefined
    ? `${name} has no rows yet`
    : `the rows of ${name} are of version ${live} of its rules, and this is version ${version}`)
  return `${named.join('; ')}. They are served as they are and nothing new is folded into them: run \`npx loyalty-ledger rebuild diff\`, then \`npx loyalty-ledger rebuild switch\``
}
