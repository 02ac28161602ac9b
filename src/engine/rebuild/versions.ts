import { readAllCheckpoints, readVersions, type Positions } from '../checkpoints.sql.ts'
import type { Db } from '../../postgres/database.ts'
import type { Tables } from '../../postgres/tables.ts'
import type { Projection } from '../projection.ts'

/** The tables of projections. */
export function tablesOf (projections: readonly Projection[]): Array<keyof Tables> {
  return projections.flatMap(({ tables }) => tables.map(({ name }) => name))
}

/** The live position of the projection that is furthest ahead, by shard. */
export async function livePositions (db: Db, projections: readonly Projection[]): Promise<Positions> {
  const positions = new Map<number, bigint>()
  for (const { projection, shard, position } of await readAllCheckpoints(db, 'projection')) {
    if (projections.some(({ name }) => name === projection) && position > (positions.get(shard) ?? -1n)) positions.set(shard, position)
  }
  return positions
}

/** The projections whose rows this version of their rules has folded. Nothing may be folded into the rows of others. */
export async function currentOf (db: Db, projections: readonly Projection[]): Promise<Projection[]> {
  const versions = await readVersions(db)
  return projections.filter(({ name, version }) => versions.get(name) === version)
}

/** A live projection whose rows another version of its rules has folded; `live`: which, undefined if it has no rows. */
export interface Outdated { name: string, version: number, live: number | undefined }

/** @param versions the version of the rules that folded each projection's rows */
export function outdatedOf (projections: readonly Projection[], versions: ReadonlyMap<string, number>): Outdated[] {
  return projections
    .filter(({ name, version }) => versions.get(name) !== version)
    .map(({ name, version }) => ({ name, version, live: versions.get(name) }))
}

/** What an operator has to do about outdated projections. */
export function describeOutdated (outdated: readonly Outdated[]): string {
  const named = outdated.map(({ name, version, live }) => live === undefined
    ? `${name} has no rows yet`
    : `the rows of ${name} are of version ${live} of its rules, and this is version ${version}`)
  return `${named.join('; ')}. They are served as they are and nothing new is folded into them: run \`npx loyalty-ledger rebuild diff\`, then \`npx loyalty-ledger rebuild switch\``
}
