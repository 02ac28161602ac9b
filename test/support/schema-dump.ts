import type pg from 'pg'

const SCHEMAS = "('ledger', 'projection', 'reporting')"

/** One statement each: name, and what PostgreSQL says of all such objects of ours. */
const SECTIONS: Array<[title: string, query: string]> = [
  ['columns', `
    select format('%s.%s.%s %s%s%s', n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
                  case when a.attcollation <> 0 and co.collname <> 'default' then ' collate ' || co.collname else '' end
                  || case when a.attnotnull then ' not null' else '' end,
                  coalesce(' ' || case when a.attidentity <> '' then 'identity' when a.attgenerated <> '' then 'generated ' || pg_get_expr(d.adbin, d.adrelid) else 'default ' || pg_get_expr(d.adbin, d.adrelid) end,
                           case when a.attidentity <> '' then ' identity' else '' end)) as line
    from pg_attribute a
    join pg_class c on c.oid = a.attrelid
    join pg_namespace n on n.oid = c.relnamespace
    left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    left join pg_collation co on co.oid = a.attcollation
    where n.nspname in ${SCHEMAS} and c.relkind in ('r', 'v') and a.attnum > 0 and not a.attisdropped
    order by n.nspname, c.relkind, c.relname, a.attnum`],
  ['storage', `
    select format('%s.%s %s', n.nspname, c.relname, array_to_string(c.reloptions, ', ')) as line
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ${SCHEMAS} and c.reloptions is not null
    order by 1`],
  // Named by themselves in PostgreSQL 18, and not at all before: "not null" stands with the columns.
  ['constraints', `
    select format('%s.%s %s %s', n.nspname, c.relname, k.conname, pg_get_constraintdef(k.oid)) as line
    from pg_constraint k
    join pg_class c on c.oid = k.conrelid
    join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ${SCHEMAS} and k.contype <> 'n'
    order by 1`],
  ['domains', `
    select format('%s.%s as %s%s %s %s', n.nspname, t.typname, format_type(t.typbasetype, t.typtypmod),
                  case when co.collname is null or co.collname = 'default' then '' else ' collate ' || co.collname end, k.conname, pg_get_constraintdef(k.oid)) as line
    from pg_type t
    join pg_namespace n on n.oid = t.typnamespace
    left join pg_collation co on co.oid = t.typcollation
    left join pg_constraint k on k.contypid = t.oid
    where n.nspname in ${SCHEMAS} and t.typtype = 'd'
    order by 1`],
  ['indexes', `select indexdef as line from pg_indexes where schemaname in ${SCHEMAS} order by 1`],
  ['triggers', `
    select format('%s enabled %s', pg_get_triggerdef(t.oid), t.tgenabled) as line
    from pg_trigger t
    join pg_class c on c.oid = t.tgrelid
    join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ${SCHEMAS} and not t.tgisinternal
    order by 1`],
  ['functions', `
    select format('%s.%s(%s) %s md5 %s%s', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid), coalesce(array_to_string(p.proconfig, ', '), '-'), md5(p.prosrc),
                  case when p.prosecdef then ' security definer' else '' end) as line
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname in ${SCHEMAS}
    order by 1`],
  ['views', `select format('%s.%s %s', schemaname, viewname, md5(definition)) as line from pg_views where schemaname in ${SCHEMAS} order by 1`],
  ['privileges', `
    select format('%s on %s.%s to %s', string_agg(distinct a.privilege_type, ', ' order by a.privilege_type), n.nspname, c.relname, a.grantee::regrole) as line
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    cross join lateral aclexplode(c.relacl) a
    where n.nspname in ${SCHEMAS} and a.grantee <> c.relowner
    group by n.nspname, c.relname, a.grantee
    union all
    select format('%s (%s) on %s.%s to %s', a.privilege_type, string_agg(t.attname, ', ' order by t.attname), n.nspname, c.relname, a.grantee::regrole)
    from pg_attribute t
    join pg_class c on c.oid = t.attrelid
    join pg_namespace n on n.oid = c.relnamespace
    cross join lateral aclexplode(t.attacl) a
    where n.nspname in ${SCHEMAS}
    group by a.privilege_type, n.nspname, c.relname, a.grantee
    order by 1`],
  ['comments', `
    select format('%s: %s', pg_describe_object(d.classoid, d.objoid, d.objsubid), d.description) as line
    from pg_description d
    where (d.classoid = 'pg_class'::regclass and exists (select from pg_class c where c.oid = d.objoid and c.relnamespace::regnamespace::text in ${SCHEMAS}))
       or (d.classoid = 'pg_proc'::regclass and exists (select from pg_proc p where p.oid = d.objoid and p.pronamespace::regnamespace::text in ${SCHEMAS}))
       or (d.classoid = 'pg_type'::regclass and exists (select from pg_type t where t.oid = d.objoid and t.typnamespace::regnamespace::text in ${SCHEMAS}))
       or (d.classoid = 'pg_namespace'::regclass and d.objoid::regnamespace::text in ${SCHEMAS})
    order by 1`]
]

/** The schema as text, the same on every run: what the migrations come to. */
export async function dumpSchema (pool: pg.Pool): Promise<string> {
  const parts: string[] = []
  for (const [title, query] of SECTIONS) {
    const { rows } = await pool.query<{ line: string }>(query)
    parts.push(`-- ${title}`, ...rows.map(({ line }) => line.replace(/\s+/g, ' ').trim()), '')
  }
  return parts.join('\n')
}
