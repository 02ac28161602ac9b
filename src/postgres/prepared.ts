import { CompiledQuery, sql, type RawBuilder } from 'kysely'
import type { Db } from './database.ts'
import { MARK } from './named-statements.ts'

/** Stands for a parameter while a statement is built. */
class Parameter {
  readonly index: number

  constructor (index: number) {
    this.index = index
  }
}

/**
 * Makes a function of a frequent statement: it is built once, and each connection parses and plans it once. For
 * statements whose text is the same every time and whose columns are named: a migration changes the type of `select *`,
 * which PostgreSQL does not allow in a prepared statement.
 * ```ts
 * const readCode = prepared((card_id: string) => sql<Code>`select code from cards where card_id = ${card_id}`)
 * ```
 * @param build makes the statement. It gets placeholders instead of values, and may only put them into the statement
 */
export function prepared<Parameters extends readonly unknown[], Row> (
  build: (...parameters: Parameters) => RawBuilder<Row>
): (db: Db, ...parameters: Parameters) => Promise<Row[]> {
  let built: CompiledQuery | undefined
  return async (db, ...values) => {
    built ??= sql`${sql.raw(MARK)} ${build(...Array.from({ length: build.length }, (_, index) => new Parameter(index)) as unknown as Parameters)}`.compile(db)
    const bound = built.parameters.map(parameter => parameter instanceof Parameter ? values[parameter.index] : parameter)
    const { rows } = await db.executeQuery<Row>(CompiledQuery.raw(built.sql, bound))
    return rows
  }
}
