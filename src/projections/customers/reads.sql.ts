import { sql } from 'kysely'
import type { Instant } from '../../ledger/instant.ts'
import type { ShownCard } from '../cards/reads.sql.ts'
import { checkpoint, checkpointsByShard, type ProjectionKey } from '../../engine/checkpoints.sql.ts'
import { batchReads } from '../../postgres/batch-reads.ts'
import type { Db, Trx } from '../../postgres/database.ts'
import { prepared } from '../../postgres/prepared.ts'
import { BY_INDEX } from '../../postgres/unnest.ts'
import type { CustomerRow } from '../../postgres/tables.ts'

export type Profile = Omit<CustomerRow, 'field_times'>

const PROFILE = ['customer_id', 'source_id', 'name', 'email', 'metadata', 'deleted_at', 'first_seen_at', 'last_seen_at'] as const

/** Where a page of customers begins: after this one. `deleted` orders only those with one source id. */
export interface CustomerMark { deleted: boolean, customer_id: string }

/**
 * Customers in order of id; or those with a source id, and then the deleted ones last: a customer who was deleted and
 * made again has two ids under one source id.
 */
export async function listCustomers (
  db: Db, page: { source_id?: string | undefined, after?: CustomerMark | undefined, limit: number }
): Promise<Profile[]> {
  const { source_id, after, limit } = page
  const of = db.selectFrom('customers').select(PROFILE).limit(limit)
  if (source_id === undefined) {
    return await of.$if(after !== undefined, query => query.where('customer_id', '>', after?.customer_id as string)).orderBy('customer_id').execute()
  }
  const deleted = sql<boolean>`deleted_at is not null`
  return await of.where('source_id', '=', source_id)
    .$if(after !== undefined, query => query.where(sql<boolean>`(${deleted}, customer_id) > (${after?.deleted}::boolean, ${after?.customer_id})`))
    .orderBy(deleted).orderBy('customer_id')
    .execute()
}

export async function customerExists (db: Db, customer_id: string): Promise<boolean> {
  return await db.selectFrom('customers').select('customer_id').where('customer_id', '=', customer_id).executeTakeFirst() !== undefined
}

export interface CustomerTotals { balance: bigint, unavailable: bigint, pending: bigint, unexplained: bigint, cards: bigint, orders: bigint }

/** A customer with totals over the cards they hold and the orders they placed, as of one moment. */
export async function findCustomer (db: Db, customer_id: string): Promise<(Profile & CustomerTotals) | undefined> {
  const { rows: [customer] } = await sql<Profile & CustomerTotals>`
    select ${sql.join(PROFILE.map(column => sql.ref(`c.${column}`)))},
           held.balance, held.unavailable, held.pending, held.unexplained, held.cards,
           (select count(*) from orders o where o.customer_id = c.customer_id) as orders
    from customers c
    cross join lateral (
      select coalesce(sum(k.balance) filter (where k.deleted_at is null and k.active is not false), 0) as balance,
             coalesce(sum(k.balance) filter (where k.deleted_at is not null or k.active is false), 0) as unavailable,
             coalesce(sum(k.pending), 0) as pending,
             coalesce(sum(k.unexplained), 0) as unexplained, count(*) as cards
      from cards k
      where k.customer_id = c.customer_id
    ) held
    where c.customer_id = ${customer_id}`.execute(db)
  return customer
}

/** A tier a customer is in now. */
export interface Membership { campaign_id: string, tier_id: string, tier: string | null, since: Instant, change: string }

/**
 * The tiers a customer is in, one a loyalty programme at most. The view is the one place of the rule which change is
 * the newest.
 */
export async function listTiers (db: Db, customer_id: string): Promise<Membership[]> {
  const { rows } = await sql<Membership>`
    select campaign_id, tier_id, tier, since, change
    from reporting.tiers
    where customer_id = ${customer_id}
    order by campaign_id`.execute(db)
  return rows
}

export interface CustomerBalance {
  customer_id: string
  source_id: string | null
  as_of: Instant
  /** The checkpoint of the customer's shard; null before the first worker ran. */
  position: bigint | null
  cards: HeldCard[]
}

export type CustomerAccount = Omit<CustomerBalance, 'cards'>

/** A card in a balance: all that people read of it, and nothing that only the fold needs. */
const HELD = [
  'card_id', 'code', 'campaign_id', 'campaign', 'active', 'deleted_at', 'balance', 'opening', 'earned', 'spent', 'refunded', 'expired', 'adjusted', 'transferred', 'unexplained',
  'pending', 'pending_unexplained', 'balance_stated_at', 'last_movement_at', 'parked_at'
] as const satisfies ReadonlyArray<keyof ShownCard>
export type HeldCard = Pick<ShownCard, typeof HELD[number]>

/** A customer without their cards, and the checkpoint that vouches for what is read in the same state. */
export async function findAccount (trx: Trx, customer_id: string, shard: number, projections: readonly ProjectionKey[]): Promise<CustomerAccount | undefined> {
  const { rows: [account] } = await sql<CustomerAccount>`
    select c.customer_id, c.source_id, now() as as_of, ${checkpoint(projections, shard)} as position
    from customers c
    where c.customer_id = ${customer_id}`.execute(trx)
  return account
}

/** Whose balance is asked for, and the shard that their events are in. */
interface Asked { customer_id: string, shard: number }

type BalanceRow = CustomerAccount & { asked: bigint } & (HeldCard | { card_id: null })

// A prepared statement locks the tables of its `from` in their order, and those of a `with` after them: no `with` here.
const balanceRows = prepared((ids: readonly string[], shards: readonly number[], names: readonly string[]) => sql<BalanceRow>`
  select asked.ordinal as asked, ${sql.join(HELD.map(column => sql.ref(column)))}, c.customer_id, c.source_id, now() as as_of, at.position
  from ${checkpointsByShard(names, shards)} at
  right join (
    (select p.key, p.parked_at from parked p where p.projection = 'cards') standstill
    right join (
      unnest(${ids}::text[], ${shards}::smallint[]) with ordinality as asked (customer_id, shard, ordinal)
      cross join lateral (select c.customer_id, c.source_id from customers c where c.customer_id = asked.customer_id ${BY_INDEX}) c
      left join lateral (select k.* from cards k where k.customer_id = c.customer_id ${BY_INDEX}) k on true
    ) on standstill.key = 'card:' || k.card_id
  ) on at.shard = asked.shard
  order by k.code, k.card_id`)

/**
 * Some customers' cards with their sums. One statement, hence one state: the cards, and the checkpoints that vouch for
 * them. It names the checkpoints first, as every step and read does: a switch of generations would else wait with it in
 * a circle.
 * ```sql
 * select … from (select shard, min(position) from checkpoints …)
 *   right join (parked right join (customers left join cards))
 * ```
 * @returns one answer a question, in order; undefined where there is no such customer
 */
async function readBalances (db: Db, asked: readonly Asked[], projections: readonly ProjectionKey[]): Promise<Array<CustomerBalance | undefined>> {
  const rows = await balanceRows(db, asked.map(({ customer_id }) => customer_id), asked.map(({ shard }) => shard), projections.map(({ name }) => name))
  const balances = new Array<CustomerBalance | undefined>(asked.length).fill(undefined)
  for (const row of rows) {
    const balance = balances[Number(row.asked) - 1] ??= { customer_id: row.customer_id, source_id: row.source_id, as_of: row.as_of, position: row.position, cards: [] }
    if (row.card_id !== null) balance.cards.push(row)
  }
  return balances
}

/** Makes a reader of balances: those that are asked for at the same time are read by one statement. */
export function createBalanceReader (db: Db, projections: readonly ProjectionKey[]): (customer_id: string, shard: number) => Promise<CustomerBalance | undefined> {
  const read = batchReads<Asked, CustomerBalance | undefined>(async asked => await readBalances(db, asked, projections))
  return async (customer_id, shard) => await read({ customer_id, shard })
}
