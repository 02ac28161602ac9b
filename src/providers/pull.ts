/**
 * How the ledger asks a provider for what no webhook brought: the optional side of a provider that has an API. It says
 * what to ask and what an answer means. It makes no calls itself: a call comes in as a function, and whoever gives it
 * decides how often, how fast and how patiently.
 *
 * What is pulled goes the way of every delivery: each object is the body of a delivery that `identify` names. So an
 * object that was pulled before is a duplicate, and a webhook that comes late is one more observation of one thing.
 */
export interface PullSide {
  /** Where the API is, for people who have not said otherwise. */
  default_url: string
  /** The settings that name the API's address and key, for messages to people. */
  settings: { url: string, id: string, token: string }
  /** Headers that authenticate a call. */
  headersFor: (credentials: ApiCredentials) => Record<string, string>
  /** What an answer means for the call that got it. */
  judge: (answer: ApiAnswer) => Verdict
  /** The lists to read, in the order in which to read them. May make calls to find out. */
  lists: (call: ApiCall, scope: PullScope) => Promise<readonly PullList[]>
}

export interface ApiCredentials { id: string, token: string }

export interface ApiRequest {
  /** With the query; it begins with a slash. */
  path: string
}

/** Headers by their names in lower case. */
export interface ApiAnswer { status: number, headers: Readonly<Record<string, string>>, body: string }

/** Makes one call. @returns undefined where there is no such thing for this key: deleted, or of another kind */
export type ApiCall = (request: ApiRequest) => Promise<ApiAnswer | undefined>

export type Verdict =
  | { verdict: 'answered' }
  /** There is no such thing, and asking again changes nothing. */
  | { verdict: 'absent', detail: string }
  /** Not now. `after_seconds`: when to ask again, where the answer says so. `code`: how it ends if it does not pass. */
  | { verdict: 'later', after_seconds: number | null, code: PullEnd, detail: string }
  /** Never: a person must do something first. */
  | { verdict: 'end', code: PullEnd, detail: string }

/** How the asking can end before its end. Stable codes. */
export type PullEnd =
  | 'api_unauthorized' | 'api_plan_insufficient' | 'api_refused' | 'api_rate_limited' | 'api_unavailable' | 'api_unreadable'
  | 'api_budget_spent' | 'api_list_too_long'

/** The asking cannot go on: a stable code, and what to do. */
export class PullFailed extends Error {
  override name = 'PullFailed'
  readonly code: PullEnd

  constructor (code: PullEnd, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** What is asked for: everything that is new, what changed since a time, or one card. */
export interface PullScope {
  /** The provider's id or the code of one card. */
  card?: string | undefined
  /**
   * A time: what changed since then is read again, whatever was read before. A list without a cursor gets one at its
   * end: what is older is known from elsewhere.
   */
  since?: string | undefined
}

/** What the objects of a list are. */
export type PulledThing = 'movements' | 'cards' | 'pending' | 'orders' | 'customers'

/** A list of the provider that is read from where the last run ended. */
export interface PullList {
  /** Names its cursor. Stable: a cursor is found again by it. */
  name: string
  thing: PulledThing
  /**
   * Reads on from a cursor, or from the beginning. A list whose reading stops may be read again from the cursor of any
   * page whose deliveries are stored: then some objects come twice, and none is missed.
   */
  pages: (cursor: string | undefined) => AsyncIterable<PulledPage>
}

export interface PulledPage {
  /** Bodies of deliveries, one an object. */
  deliveries: readonly Buffer[]
  /** Where to read on once they are stored; null: as before. */
  cursor: string | null
  /** What the list could not give, for people. */
  remark?: string
}
