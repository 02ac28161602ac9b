import type { NotRecomputed, Recomputed } from '../../provider.ts'
import { ceil, decimal, floor, fractionOf, times, whole, type Fraction } from './fraction.ts'
import { openEnvelope } from '../wire/envelope.ts'
import { isObject, type Json, type JsonObject } from '../wire/json.ts'
import { at, baseOf } from './rule-base.ts'

/**
 * `readings`: the points by each way in which a rule can be read. How a remainder is rounded, and which points a tier's
 * own points replace, is not documented.
 */
interface Result { readings: Fraction[], base: string | null, rule: string, remarks: string[] }

/**
 * Recomputes the points of an award from the earning rule in its payload. The rule can change under its id later, so
 * only the copy in the payload counts. Exact; never throws.
 * @param body a stored event's body
 * @param observed the points as the payload states them, signed
 */
export function recompute (body: string, observed: bigint): Recomputed | NotRecomputed {
  const data = dataOf(body)
  const loyalty = at(data, 'earning_rule', 'loyalty') ?? at(data, 'earning_rule', 'parameters', 'loyalty')
  if (!isObject(loyalty)) return { why: 'The payload does not carry the formula of an earning rule.' }
  if (observed < 0n) return { why: 'Points were taken back: an earning rule says only what is given.' }
  const result = inTier(data, loyalty)
  if ('why' in result) return result
  const { readings: [first], base, rule, remarks } = result
  const points = floor(first ?? whole(0n))
  const agrees = result.readings.some(reading => observed === floor(reading) || observed === ceil(reading))
  if (!agrees) remarks.push(`The rule gives ${points}, the provider says ${observed}: the provider's figure stands.`)
  return { points, agrees, base, rule, remark: remarks.length === 0 ? null : remarks.join(' ') }
}

function dataOf (body: string): JsonObject {
  try {
    const json = JSON.parse(body) as Json
    return isObject(json) ? openEnvelope(json).data : {}
  } catch {
    // No longer what was received: there is nothing to read.
    return {}
  }
}

/**
 * A tier of the holder can multiply a rule's points or replace them with its own. Payloads can carry two tiers; where
 * only the second one knows the rule, both the rule with that tier and the rule without it are possible.
 */
function inTier (data: JsonObject, loyalty: JsonObject): Result | NotRecomputed {
  const id = at(data, 'earning_rule', 'id')
  const tiers = [data.holder_loyalty_tier, data.loyalty_tier].filter(isObject)
  const tier = tiers.find(one => typeof id === 'string' && isObject(at(one, 'earning_rules', id)))
  const plain = byRule(data, loyalty)
  if (tier === undefined || typeof id !== 'string') return plain
  const mapped = byMapping(data, loyalty, at(tier, 'earning_rules', id), typeof tier.name === 'string' ? `tier ${JSON.stringify(tier.name)}` : 'the tier')
  if (tier === tiers[0] || 'why' in plain || 'why' in mapped) return mapped
  return { ...mapped, readings: [...mapped.readings, ...plain.readings] }
}

function byMapping (data: JsonObject, loyalty: JsonObject, mapping: Json | undefined, name: string): Result | NotRecomputed {
  const type = at(mapping, 'type')
  if (type === 'MULTIPLY') {
    const multiplier = fractionOf(at(mapping, 'multiplier'))
    if (multiplier === undefined) return { why: `The multiplier of ${name} is not a number that can be counted with.` }
    const result = byRule(data, loyalty)
    if ('why' in result) return result
    const readings = result.readings.map(reading => times(reading, multiplier))
    return { ...result, readings, remarks: [...result.remarks, `Multiplied by ${decimal(multiplier)} in ${name}.`] }
  }
  const own = wholeOf(at(mapping, 'points'))
  if (type !== 'CUSTOM' || own === undefined) return { why: `The payload does not show how ${name} changes the points of the rule.` }
  const result = byRule(data, loyalty, own)
  if ('why' in result) return result
  return { ...result, readings: [...result.readings, whole(own)], remarks: [...result.remarks, `With ${counted(own)} of ${name} in place of the rule's own.`] }
}

/** @param own points that replace those of the rule */
function byRule (data: JsonObject, loyalty: JsonObject, own?: bigint): Result | NotRecomputed {
  if (loyalty.type === 'FIXED') {
    const points = own ?? wholeOf(loyalty.points)
    if (points === undefined) return { why: 'The fixed rule in the payload has no whole number of points.' }
    return { readings: [whole(points)], base: null, rule: `${counted(points)}, fixed`, remarks: [] }
  }
  if (loyalty.type !== 'PROPORTIONAL') return { why: `A rule of type ${JSON.stringify(loyalty.type ?? null)} (a formula, say) cannot be recomputed from the payload.` }
  const based = baseOf(loyalty, data)
  if ('why' in based) return based
  const { base, of, every } = based
  const points = own ?? based.points
  const steps = floor(base) / every
  const exact = times(base, { over: points, under: every })
  const rule = `${counted(points)} for every ${every} of ${of}`
  if (base.over === steps * every * base.under) return { readings: [exact], base: decimal(base), rule, remarks: [] }
  const [down, up] = [steps * points, (steps + 1n) * points]
  const remark = `${decimal(base)} is no multiple of ${every}: whole steps give ${down}, the exact proportion ${decimal(exact)}, a step begun counted whole ${up}. Which of them the provider pays is not documented.`
  return { readings: [whole(down), exact, whole(up)], base: decimal(base), rule, remarks: [remark] }
}

function counted (points: bigint): string {
  return points === 1n ? '1 point' : `${points} points`
}

function wholeOf (value: Json | undefined): bigint | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? BigInt(value as number) : undefined
}
