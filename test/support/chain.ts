import type pg from 'pg'

/**
 * Shards whose log is not whole: the chain recomputed from the rows, by its definition and without the ledger's own
 * functions, is not the one at the head, or not as long.
 */
export async function brokenShards (pool: pg.Pool): Promise<number[]> {
  const { rows } = await pool.query<{ shard: number }>(`
    with recursive walked as (
      select shard, 0::bigint as position, decode(repeat('00', 32), 'hex') as chain from ledger.shards
      union all
      select e.shard, e.position,
             sha256(w.chain
               || int4send(2) || int2send(e.shard)
               || int4send(8) || int8send(e.position)
               || int4send(octet_length(convert_to(e.event_id, 'UTF8'))) || convert_to(e.event_id, 'UTF8')
               || int4send(octet_length(convert_to(e.subject, 'UTF8'))) || convert_to(e.subject, 'UTF8')
               || int4send(32) || sha256(convert_to(e.body::text, 'UTF8')))
      from walked w
      join ledger.events e on e.shard = w.shard and e.position = w.position + 1
    )
    select s.shard
    from ledger.shards s
    join walked w on w.shard = s.shard
    group by s.shard, s.head, s.chain
    having max(w.position) <> s.head
        or (array_agg(w.chain order by w.position desc))[1] <> s.chain
        or s.head <> (select count(*) from ledger.events e where e.shard = s.shard)
    order by s.shard`)
  return rows.map(({ shard }) => shard)
}
