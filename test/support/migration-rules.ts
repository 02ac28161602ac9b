// What a migration must not do to a table that has rows and is in use (docs/architecture.md, Migrations).

const RULES: Array<{ refuses: string, statement: RegExp }> = [
  { refuses: 'an index built under a lock: create index concurrently, outside a transaction', statement: /^create (unique )?index (?!concurrently)(?:.*? )?on (?:only )?(?<table>[\w.]+)/ },
  { refuses: 'an index dropped under a lock: drop index concurrently, outside a transaction', statement: /^drop index (?!concurrently)/ },
  { refuses: 'a column of another type, which rewrites the table: add a new column', statement: /^alter table (?<table>[\w.]+).* alter (column )?[\w"]+ (set data )?type / },
  { refuses: 'a default that is computed for each row, which rewrites the table', statement: /^alter table (?<table>[\w.]+).* add (column )?[^,]* default [\w.]+ ?\(/ },
  { refuses: 'a generated or identity column, which rewrites the table', statement: /^alter table (?<table>[\w.]+).* add (column )?[^,]* generated / },
  { refuses: 'not null without a default, which fails where there are rows', statement: /^alter table (?<table>[\w.]+).* add (column )?(?!constraint)(?![^,]* default )[^,]* not null/ },
  { refuses: 'not null for a column that is there, which reads the whole table under a lock: a check constraint, not valid, then validated', statement: /^alter table (?<table>[\w.]+).* set not null/ },
  { refuses: 'a constraint that reads the whole table under a lock: not valid, and validated by a later migration', statement: /^alter table (?<table>[\w.]+).* add (constraint \S+ )?(check|foreign key) (?!.*not valid)/ },
  { refuses: 'a key built under a lock: a unique index concurrently, then using index', statement: /^alter table (?<table>[\w.]+).* add (constraint \S+ )?(primary key|unique|exclude) (?!using index)/ },
  { refuses: 'a lock timeout of its own: whoever runs the migrations chooses it', statement: /\block_timeout\b/ },
  { refuses: 'a table locked or written anew', statement: /^(lock |cluster|vacuum full|reindex (?!.*concurrently)|alter table (?<table>[\w.]+).* set (logged|unlogged|tablespace))/ }
]

/** A few rows a shard, or fewer: any statement on them is fast. */
const SMALL = ['ledger.shards', 'projection.checkpoints', 'ledger.api_keys']

/**
 * Describes what is wrong with a migration's text. Tables that it creates itself are empty and unused: everything is
 * allowed there.
 */
export function dangersIn (text: string): string[] {
  const statements = statementsOf(text)
  const made = new Set([...SMALL, ...statements.flatMap(statement => /^create (?:unlogged )?table (?:if not exists )?([\w.]+)/.exec(statement)?.[1] ?? [])])
  return statements.flatMap(statement => RULES.flatMap(({ refuses, statement: pattern }) => {
    const found = pattern.exec(statement)
    const table = found?.groups?.table
    return found === null || (table !== undefined && made.has(table)) ? [] : [`${refuses} (${statement.slice(0, 80)})`]
  }))
}

/** A repeatable file is applied to any earlier text of itself, while the ledger is in use. */
const REPEATABLE = /^(create or replace (function|aggregate|view|trigger) |comment on |grant |revoke |alter table [\w.]+ enable always trigger )/

/** Statements of a repeatable file that cannot be repeated, or that change a table. */
export function unrepeatableIn (text: string): string[] {
  return statementsOf(text).filter(statement => !REPEATABLE.test(statement))
}

/** Without comments, bodies of functions and texts; in lower case, with single spaces. */
function statementsOf (text: string): string[] {
  const up = text.split(/^--[ -]*down migration/im)[0] ?? ''
  return up.replaceAll(/--.*$/gm, '').replaceAll(/(\$\w*\$)[^]*?\1/g, "''").replaceAll(/'(?:[^']|'')*'/g, "''")
    .split(';').map(statement => statement.trim().replaceAll(/\s+/g, ' ').toLowerCase()).filter(statement => statement !== '')
}
