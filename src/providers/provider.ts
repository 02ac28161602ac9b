import type { Fact } from '../ledger/facts.ts'
import type { Instant } from '../ledger/instant.ts'
import type { PersonMatcher } from './person.ts'
import type { PullSide } from './pull.ts'

/**
 * What the ledger asks of whoever sends it events. A provider is a folder beside this file that builds one object of
 * this type, a line in `index.ts`, and a setting for its secrets; nothing else of src names it.
 *
 * Every function is pure: the same bytes give the same answer, in every process and for ever, since the log is read
 * again and again. None changes what it is given, and none keeps it.
 *
 * Ids are the provider's own, as its payloads write them. They are text of 1 to 256 bytes without control characters.
 * The ids of every provider but the first of the list are stored with its name before them, `name:id`, so that those of
 * two providers never meet. `createProviders` adds and removes that prefix: a provider never sees it.
 */
export interface Provider extends EventReader {
  webhook: WebhookDescription
  /**
   * Is a delivery authentic? Without secrets none is.
   * @param body as received
   * @param headers by their names in lower case
   * @param secrets every secret in force, newest first: retries outlive a rotation
   */
  authenticate: (body: Buffer, headers: Readonly<Record<string, unknown>>, secrets: readonly string[]) => Authentication
  /** The headers with which the provider signs a body: for the demo, for simulations and for tests. */
  sign: (body: Buffer, secret: string) => Record<string, string>
  /** How to ask the provider for what no webhook carried, where it has an API. */
  pull?: PullSide
  /** How the files that people get from the provider become deliveries, where there are such files. */
  files?: ProviderFiles
}

/**
 * The part of the contract that reads stored events. The ledger's own events also have a reader, but no
 * sender.
 */
export interface EventReader {
  /**
   * Stored with each event, and so never changed: it says which reader reads the event. Lower-case letters, digits and
   * hyphens, at most 32 characters. A provider's webhook is `POST /webhooks/{name}`.
   */
  name: string
  /**
   * Names the event that a delivery carries (docs/architecture.md, Identity). Never throws, whatever the bytes are.
   * @param body authentic bytes, as received
   */
  identify: (body: Buffer) => IdentifiedDelivery | Unusable
  /**
   * The same as an older version of the code, which did not read the event's type yet, would have named it: stored
   * events keep their names. Absent where every type was read from the first version on.
   */
  identifyAsUnread?: (body: Buffer) => IdentifiedDelivery | Unusable
  /**
   * The facts that a stored event states; where its type is not read only that it is not. Plain values that nobody
   * changes afterwards.
   * @param body JSON text that `identify` accepted once
   * @throws Error when this version of the code cannot read what an earlier one accepted; the message says what it
   *   lacks
   */
  factsOf: (body: string) => Fact[]
  /**
   * Does a stored event state all that another send of it states? A sender may leave fields out, so what only the
   * stored event states is no difference. What only the other send states is one: it would be lost.
   * @throws Error as `factsOf`
   */
  coversFacts: (stored: string, received: string) => boolean
  /**
   * The cards and orders that a body may be about: rather too many than too few. Later events of a card must not
   * overtake one that cannot be read.
   * @param body JSON text that `factsOf` may not be able to read
   */
  mentionedIds: (body: string) => MentionedIds
  /**
   * How a delivery differs from the stored event that it contradicts; undefined when they have no fields to compare.
   */
  differences: (stored: Buffer, received: Buffer) => Differences | undefined
  /**
   * Recomputes the points of an award from the earning rule in the body that states it. Exact; never throws.
   * @param points as stated, signed
   */
  recompute: (body: string, points: bigint) => Recomputed | NotRecomputed
  /**
   * A body without what is personal about one customer. Whatever identifies the event or counts points stays, and so do
   * the facts that its digest is made of. Redacting again changes nothing.
   * @returns undefined when the body is not JSON
   */
  redact: (body: string, erased: ErasedPerson, extent: RedactionExtent) => string | undefined
  /**
   * What a body says of a customer that would identify them elsewhere: names, e-mail addresses, telephone numbers,
   * street lines.
   * @param customer_id null: a customer of another provider
   */
  identifyingTexts: (body: string, customer_id: string | null) => string[]
}

/** What people need to know of a webhook, for OpenAPI and for errors. */
export interface WebhookDescription {
  /** The provider's name as people write it. */
  title: string
  /** Names of the headers that carry the signature, in lower case. Quarantine keeps them with the bytes. */
  signature_headers: readonly [string, ...string[]]
  /** What they hold, as the end of a sentence: `the hex HMAC-SHA256 of the body under the webhook secret`. */
  signature: string
  /** Which shapes of body the provider posts. */
  body: string
}

export type Authentication = 'authentic' | 'signature_missing' | 'signature_invalid'

/** The path of a provider's webhook. */
export function webhookPath ({ name }: Pick<Provider, 'name'>): string {
  return `/webhooks/${name}`
}

/** A delivery whose event is named: the row to append, without what the append itself decides. */
export interface IdentifiedDelivery {
  event_id: string
  /** What the event is about. With `event_id` it is the event's key, which never changes. */
  subject: string
  type: string
  customer_id: string | null
  /** What the shard is chosen by: the customer, else the nearest thing that keeps related events together. */
  shard_key: string
  occurred_at: Instant | null
  /** A delivery that the provider sent to try the webhook out: stored, never projected. */
  test: boolean
  send_out_id: string | null
  sender_kind: string | null
  sender_id: string | null
  group_id: string | null
  project_id: string | null
  channel: string | null
  /** Hex sha256 of the facts that every send of the event states alike. */
  fact_digest: string
  /** The JSON text, verbatim. */
  body: string
}

/**
 * Why an authentic delivery cannot be used yet: a stable code, and a sentence for people. `unmatched`: it can be read,
 * but it does not say which movement it is, and counting it could count that twice.
 */
export interface Unusable { reason: UnusableReason, detail: string, unmatched?: true }
export type UnusableReason = 'not_utf8' | 'not_json' | 'not_an_object' | 'too_deep' | 'unidentified' | 'invalid_payload'

/** The cards and orders that a body names, wherever in it. */
export interface MentionedIds { cards: string[], orders: string[] }

/** One place in which two versions differ. A value is JSON text, or the bare word `absent`, which no JSON text is. */
export interface Difference {
  /** `points` of a fact; `data.balance.points` of a payload. */
  path: string
  stored: string
  received: string
}

/** How a delivery differs from the stored event that it contradicts. */
export interface Differences {
  /** In what the ledger reads from each: where a conflict comes from. */
  facts: Difference[]
  /** In the payloads, whatever the ledger makes of them. The envelopes are left out. */
  fields: Difference[]
  /** How many differing fields are not listed. */
  more_fields: number
}

/** What an award's own payload says that it should have been. A difference is a remark: the provider's figure stays. */
export interface Recomputed {
  /** By the rule, in whole steps. */
  points: bigint
  agrees: boolean
  /** What the rule counts, in decimals; null for a fixed rule. */
  base: string | null
  /** For people. */
  rule: string
  remark: string | null
}

/** Why a payload does not allow a recomputation. */
export interface NotRecomputed { why: string }

/** Whom to erase. */
export interface ErasedPerson {
  /** Null: a customer of another provider, so that only texts which name them can be theirs. */
  customer_id: string | null
  /** Recognises texts that name them. */
  matcher: PersonMatcher
}

/**
 * `all` that is personal, or only the `mentions`: texts elsewhere that name the customer. Those can be found only while
 * something still says what the customer is called.
 */
export type RedactionExtent = 'all' | 'mentions'

/** What people export from a provider or get from its API by hand, to import it. */
export interface ProviderFiles {
  /** CSV tables. A file is the first table whose required columns it has. */
  tables: readonly FileTable[]
  /** Tables that hold nothing for the ledger: named, so that people know what to take instead. */
  unused_tables: readonly UnusedTable[]
  /**
   * The body of the delivery that carries an object of the provider's API; undefined where it is none, as a delivery.
   * @param text its JSON, kept as it is
   */
  bodyOfObject: (text: string) => Buffer | undefined
  /** What the rows and objects are, in the plural, by the type under which they are stored. */
  kinds: ReadonlyMap<string, string>
  /** The types of those that state a movement. One without it is of a type that this version does not know. */
  movement_types: ReadonlySet<string>
}

/** A row of a CSV table, by its columns: in lower case, with underscores; those of metadata as `metadata.…`. */
export type FileRow = Readonly<Record<string, string>>

/** A CSV table, one thing a row. */
export interface FileTable {
  /** What its rows are, in the plural: `card transactions`. */
  name: string
  /** Columns that no other table has: a file with all of them is this table, even where it lacks others. */
  signature: readonly string[]
  /** Columns without which a row cannot be read. */
  required_columns: readonly string[]
  /** Columns whose lack costs something, and what it costs, as a sentence. */
  wanted_columns: Readonly<Record<string, string>>
  /** How to get a file that has them, for people. */
  how_to_export: string
  /**
   * The body of the delivery that carries a row.
   * @param file when the file was last written, where that says as of when its rows are
   */
  bodyOf: (row: FileRow, file: { written_at: Instant }) => Buffer
  /** Does the row state its time without fractions of a second? */
  isToTheSecond: (row: FileRow) => boolean
}

export interface UnusedTable extends Pick<FileTable, 'name' | 'signature'> {
  /** Why, and what to do instead, as sentences. */
  instead: string
}
