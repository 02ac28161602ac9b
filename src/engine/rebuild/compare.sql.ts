import { sql, type RawBuilder } from 'kysely'
import type { ProjectionSchema, Trx } from '../../postgres/database.ts'

/** A table, the column that names the entity of a row, and the columns that identify a row. */
export interface ComparedTable { name: string, about: string, key: readonly string[] }

/** How the rows about one card, order or customer differ between two projection schemas. */
export interface Differing {
  table: string
  about: string
  /** Rows that only the first one has, that only the second one has, and that both have with other values. */
  only_first: bigint
  only_second: bigint
  changed: bigint
}

/**
 * Compares the rows of a table, and counts those that differ for each card, order or customer.
 * @returns the first `limit` cards, orders or customers, and the number of all
 */
export async function compareTables (
  trx: Trx, table: ComparedTable, first: ProjectionSchema, second: ProjectionSchema, limit: number
): Promise<Changes<Differing>> {
  const { rows } = await sql<Differing & { total: bigint }>`
    select ${table.name} as "table", about, only_first, only_second, changed, count(*) over () as total
    from (
      select coalesce(a.${sql.id(table.about)}, b.${sql.id(table.about)}) as about,
             count(*) filter (where b.${sql.id(table.about)} is null) as only_first,
             count(*) filter (where a.${sql.id(table.about)} is null) as only_second,
             count(*) filter (where a.${sql.id(table.about)} is not null and b.${sql.id(table.about)} is not null) as changed
      from ${sql.id(first, table.name)} a
      full join ${sql.id(second, table.name)} b on ${sameKey(table.key)}
      where a::text is distinct from b::text
      group by 1
    ) differing
    order by about
    limit ${limit}`.execute(trx)
  return counted(rows)
}

/** Separates the rows from their total, which each of them carries. */
function counted<Row extends { total: bigint }> (rows: readonly Row[]): Changes<Omit<Row, 'total'>> {
  return { total: rows[0]?.total ?? 0n, items: rows.map(({ total: _, ...item }) => item) }
}

function sameKey (columns: readonly string[]): RawBuilder<unknown> {
  return sql.join(columns.map(column => sql`a.${sql.id(column)} = b.${sql.id(column)}`), sql` and `)
}

/** What a switch would change. */
export interface ChangedCard { card_id: string, customer_id: string | null, balance_before: bigint | null, balance_after: bigint | null }
export interface ChangedOrder { order_id: string, customer_id: string | null, status_before: string | null, status_after: string | null, total_amount_before: bigint | null, total_amount_after: bigint | null }
export interface ChangedCustomer { customer_id: string, columns: string[] }
export interface Changes<Item> { total: bigint, items: Item[] }

/** Cards whose points would change, largest change first. */
export async function changedCards (trx: Trx, limit: number): Promise<Changes<ChangedCard> & { points: bigint }> {
  const { rows } = await sql<ChangedCard & { total: bigint, points: bigint }>`
    select coalesce(a.card_id, b.card_id) as card_id, coalesce(b.customer_id, a.customer_id) as customer_id,
           a.balance as balance_before, b.balance as balance_after,
           count(*) over () as total, coalesce(sum(coalesce(b.balance, 0) - coalesce(a.balance, 0)) over (), 0) as points
    from projection.cards a
    full join projection_build.cards b on a.card_id = b.card_id
    where (a.balance, a.pending, a.customer_id) is distinct from (b.balance, b.pending, b.customer_id)
    order by abs(coalesce(b.balance, 0) - coalesce(a.balance, 0)) desc, 1
    limit ${limit}`.execute(trx)
  return { points: rows[0]?.points ?? 0n, ...counted(rows.map(({ points: _, ...row }) => row)) }
}

/** Orders whose state would change. */
export async function changedOrders (trx: Trx, limit: number): Promise<Changes<ChangedOrder>> {
  const { rows } = await sql<ChangedOrder & { total: bigint }>`
    select coalesce(a.order_id, b.order_id) as order_id, coalesce(b.customer_id, a.customer_id) as customer_id,
           a.status as status_before, b.status as status_after, a.total_amount as total_amount_before, b.total_amount as total_amount_after,
           count(*) over () as total
    from projection.orders a
    full join projection_build.orders b on a.order_id = b.order_id
    where a::text is distinct from b::text
    order by 1
    limit ${limit}`.execute(trx)
  return counted(rows)
}

/** Customers whose profile would change, and in which columns. */
export async function changedCustomers (trx: Trx, limit: number): Promise<Changes<ChangedCustomer>> {
  const { rows } = await sql<ChangedCustomer & { total: bigint }>`
    select coalesce(a.customer_id, b.customer_id) as customer_id,
           array(select coalesce(x.key, y.key) from jsonb_each(to_jsonb(a)) x full join jsonb_each(to_jsonb(b)) y on x.key = y.key
                 where x.value is distinct from y.value order by 1) as columns,
           count(*) over () as total
    from projection.customers a
    full join projection_build.customers b on a.customer_id = b.customer_id
    where a::text is distinct from b::text
    order by 1
    limit ${limit}`.execute(trx)
  return counted(rows)
}
