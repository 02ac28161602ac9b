// Wrong kinds never cost more than themselves: a member that is optional and of a wrong kind changes nothing that its
// absence would not change, and puts nothing into quarantine.
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'tap'
import type { Fact } from '../../../src/ledger/facts.ts'
import { factsOf, identify } from '../../../src/providers/voucherify/identify.ts'
import type { Json, JsonObject } from '../../../src/providers/voucherify/wire/json.ts'
import { pathsOf, set } from './payloads.ts'

/**
 * What identity or points rely on where it is there. A wrong kind of it is refused although its absence is not: the
 * event would count under another name, or its points would go missing in silence. By the type of the event and the
 * path below its data.
 */
const RELIED: Array<[type: RegExp, path: RegExp]> = [
  // Figures of points, where no other place states them.
  [/^bare$|points|transaction\.created$/, /^transaction\.details(\.balance(\.points)?)?$/],
  [/^bare$|pending_points\.|transaction\.created$/, /^(balance|voucher_pending_points_balance)(\.points)?$/],
  [/^bare$|redemption|^customer\.rewarded$/, /^(redemption|redemption_rollback|object)\.amount$/],
  [/^voucher\.created$/, /^voucher\.loyalty_card(\.(points|balance))?$/],
  // Which lot of pending points it is, and how many are in it.
  [/^bare$|pending_points\.|transaction\.created$/, /^(transaction\.details\.)?pending_points(\.points)?$/],
  // The award by which an accrual goes; whether a row is that of a spend.
  [/^bare$|pending_points\.activated$|transaction\.created$/, /^((transaction\.details\.)?pending_points\.details\.|transaction\.details\.)?(event|custom_event|earning_rule)(\.id)?$/],
  [/^bare$|points_added$|transaction\.created$/, /^transaction\.type$/],
  // Whether points were spent: what was redeemed, from which card, by which redemption.
  [/redemption\.(rollback\.)?succeeded$|^customer\.rewarded$/, /^redemption$/],
  [/^bare$|redemption\.(rollback\.)?succeeded$|^customer\.rewarded$/, /^voucher$/],
  [/^bare$|reward_redemptions/, /^(reward_redemption\.source_(type|id)|source\.id)$/],
  // An event about a card says nothing without one.
  [/^voucher\.(created|deleted|updated|published|enabled|disabled)$/, /^voucher$/]
]

const KINDS: Json[] = [[], {}, 7, 'soon', true]

const folder = new URL('test/providers/voucherify/samples/', import.meta.resolve('#root/package.json'))

function kindOf (value: Json | undefined): string {
  return Array.isArray(value) ? 'list' : value === null ? 'null' : typeof value
}

/** Null shows no kind: only what no member of that name can be is wrong in its place. */
function wrongFor (at: string, value: Json | undefined): Json[] {
  if (value === null) return [[], true]
  return KINDS.filter(kind => kindOf(kind) !== kindOf(value) || (kind === 'soon' && /_at$|date$/.test(at)))
}

/** What counts, in comparable form: the key of the event, and its facts about points. */
function outcome (body: JsonObject): string {
  const identified = identify(Buffer.from(JSON.stringify(body)))
  if ('reason' in identified) return `refused: ${identified.detail}`
  const { event_id, subject, type, test } = identified
  const facts = test ? [] : factsOf(identified.body).filter(({ fact }) => fact === 'movement' || fact === 'pending' || fact === 'snapshot').map(described)
  return JSON.stringify({ event_id, subject, type, facts }, (_, value: unknown) => typeof value === 'bigint' ? String(value) : value)
}

function described (fact: Fact): Fact {
  return fact.fact === 'movement' ? { ...fact, details: null } : fact
}

function samples (): Array<{ name: string, body: JsonObject }> {
  return readdirSync(folder).sort().filter(name => !name.includes('wrong-kinds')).flatMap(name => {
    const { body, body_text, reads } = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as { body?: JsonObject, body_text?: string, reads: JsonObject }
    return 'reason' in reads || reads.test === true ? [] : [{ name, body: body ?? JSON.parse(body_text ?? '') as JsonObject }]
  })
}

const copyOf = (body: JsonObject): JsonObject => JSON.parse(JSON.stringify(body)) as JsonObject

/** The members of the data of an event, metadata and the insides of lists left out. */
function membersOf (body: JsonObject): { type: string, paths: Array<Array<string | number>> } {
  const bare = !('data' in body)
  const data = bare ? body : body.data
  const identified = identify(Buffer.from(JSON.stringify(body)))
  const type = bare || 'reason' in identified ? 'bare' : identified.type
  const paths = pathsOf(data).filter(path => !path.some((step, index) => typeof step === 'number' || (step === 'metadata' && index < path.length - 1)))
  // The cells of a row of an export are texts, since an import wrote them.
  return { type, paths: paths.filter(([first]) => first !== 'row').map(path => bare ? path : ['data', ...path]) }
}

test('an optional member of a wrong kind counts as absent', async t => {
  const seen = new Set<string>()
  const wrong: string[] = []
  let tried = 0
  for (const { name, body } of samples()) {
    const { type, paths } = membersOf(body)
    const before = outcome(body)
    for (const path of paths) {
      const at = path.filter(step => step !== 'data').join('.').replace(/^related_object\.(data_json\.)?/, '').replace(/^object\./, body.pulled === 'transaction' ? 'transaction.' : 'object.')
      const value = path.reduce<Json | undefined>((part, step) => (part as JsonObject | undefined)?.[step], body)
      // Of a bare payload the members say what it is, so each sample has its own.
      const key = `${type === 'bare' ? name : `${type} ${body.object === 'event' ? 'v2018' : 'v2024'}`} ${at} ${kindOf(value)}`
      if (seen.has(key)) continue
      seen.add(key)
      const without = outcome(set(copyOf(body), path, undefined))
      if (without.startsWith('refused')) continue
      const relied = RELIED.some(([types, members]) => types.test(type) && members.test(at))
      for (const kind of wrongFor(at, value)) {
        tried++
        const after = outcome(set(copyOf(body), path, kind))
        if (after === without || after === before || (relied && after.startsWith('refused'))) continue
        wrong.push(`${name}: ${type} ${at} = ${JSON.stringify(kind)}: ${after.slice(0, 200)}`)
      }
    }
  }
  t.strictSame(wrong, [], `${tried} tried`)
  t.ok(tried > 5000, `${tried} tried`)
})
