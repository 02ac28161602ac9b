import { NOBODY, type Fact } from '../ledger/facts.ts'
import type { ErasedPerson, IdentifiedDelivery, MentionedIds, Provider, Unusable } from './provider.ts'

/**
 * A provider whose ids are stored with a prefix: whatever leaves the provider has it, and whatever is asked of the
 * provider has lost it. Left as they are: the merchant's own ids (`source_id`), codes of cards, ids of send-outs and
 * senders, and the ids in texts for people (details, differences). Nothing is keyed by those.
 */
export function withIdPrefix (provider: Provider, prefix: string): Provider {
  const add = (id: string): string => prefix + id
  const { identifyAsUnread } = provider
  return {
    ...provider,
    identify: body => mapNames(provider.identify(body), add),
    ...(identifyAsUnread === undefined ? {} : { identifyAsUnread: body => mapNames(identifyAsUnread(body), add) }),
    factsOf: body => provider.factsOf(body).map(fact => mapFactIds(fact, add)),
    mentionedIds: body => mapMentioned(provider.mentionedIds(body), add),
    redact: (body, erased, extent) => provider.redact(body, { ...erased, customer_id: withoutPrefix(erased.customer_id) }, extent),
    identifyingTexts: (body, customer_id) => provider.identifyingTexts(body, withoutPrefix(customer_id))
  }

  function withoutPrefix (customer_id: ErasedPerson['customer_id']): string | null {
    return customer_id?.startsWith(prefix) === true ? customer_id.slice(prefix.length) : null
  }
}

/**
 * The provider whose ids are stored as they are, beside others. An id of its own that begins like a prefix of theirs
 * would be one of theirs: such a delivery is refused, and such a stored event cannot be read. So keys do not meet,
 * whatever is sent.
 */
export function withoutForeignPrefixes (provider: Provider, prefixes: readonly string[]): Provider {
  const { identifyAsUnread } = provider
  return {
    ...provider,
    identify: body => refuseForeign(provider.identify(body)),
    ...(identifyAsUnread === undefined ? {} : { identifyAsUnread: body => refuseForeign(identifyAsUnread(body)) }),
    factsOf: body => {
      const facts = provider.factsOf(body)
      for (const fact of facts) mapFactIds(fact, requireOwn)
      return facts
    },
    mentionedIds: body => {
      const { cards, orders } = provider.mentionedIds(body)
      return { cards: cards.filter(isOwn), orders: orders.filter(isOwn) }
    },
    redact: (body, erased, extent) => provider.redact(body, { ...erased, customer_id: ownOrNull(erased.customer_id) }, extent),
    identifyingTexts: (body, customer_id) => provider.identifyingTexts(body, ownOrNull(customer_id))
  }

  function isOwn (id: string): boolean {
    return !prefixes.some(prefix => id.startsWith(prefix))
  }

  function ownOrNull (id: string | null): string | null {
    return id !== null && isOwn(id) ? id : null
  }

  function requireOwn (id: string): string {
    if (isOwn(id)) return id
    throw new Error(`the id ${id} begins like those of another provider`)
  }

  function refuseForeign (identified: IdentifiedDelivery | Unusable): IdentifiedDelivery | Unusable {
    if ('reason' in identified) return identified
    const foreign = [identified.event_id, identified.subject, identified.shard_key].find(id => !isOwn(id))
    return foreign === undefined ? identified : { reason: 'unidentified', detail: `the id ${foreign} begins like those of another provider` }
  }
}

type MapId = (id: string) => string

function mapNames (identified: IdentifiedDelivery | Unusable, map: MapId): IdentifiedDelivery | Unusable {
  if ('reason' in identified) return identified
  const { event_id, subject, customer_id, shard_key } = identified
  return { ...identified, event_id: map(event_id), subject: map(subject), customer_id: orNull(customer_id, map), shard_key: map(shard_key) }
}

function mapMentioned ({ cards, orders }: MentionedIds, map: MapId): MentionedIds {
  return { cards: cards.map(map), orders: orders.map(map) }
}

function orNull (id: string | null, map: MapId): string | null {
  return id === null ? null : map(id)
}

/** A fact with each id in it that is the provider's own. */
function mapFactIds (fact: Fact, map: MapId): Fact {
  switch (fact.fact) {
    case 'movement': {
      const { movement_id, card_id, order_id, earning_rule_id, holder_id } = fact
      const references = { order_id: orNull(order_id, map), earning_rule_id: orNull(earning_rule_id, map), holder_id: orNull(holder_id, map) }
      return { ...fact, movement_id: map(movement_id), card_id: map(card_id), ...references }
    }
    case 'pending': {
      const { pending_id, card_id, order_id, earning_rule_id, holder_id } = fact
      const references = { order_id: orNull(order_id, map), earning_rule_id: orNull(earning_rule_id, map), holder_id: orNull(holder_id, map) }
      return { ...fact, pending_id: map(pending_id), card_id: map(card_id), ...references }
    }
    case 'snapshot': return { ...fact, card_id: map(fact.card_id) }
    case 'card': {
      const { card_id, fields, holder_id, released_id } = fact
      return {
        ...fact,
        card_id: map(card_id),
        fields: fields.campaign_id === undefined ? fields : { ...fields, campaign_id: orNull(fields.campaign_id, map) },
        ...(holder_id === undefined ? {} : { holder_id: holder_id === NOBODY ? NOBODY : map(holder_id) }),
        ...(released_id === undefined ? {} : { released_id: map(released_id) })
      }
    }
    case 'customer': return { ...fact, customer_id: map(fact.customer_id) }
    case 'expiration': return { ...fact, bucket_id: map(fact.bucket_id), card_id: map(fact.card_id), campaign_id: orNull(fact.campaign_id, map) }
    case 'unread': return fact
    case 'tier': {
      const { customer_id, campaign_id, tier_id, from_tier_id } = fact
      return { ...fact, customer_id: map(customer_id), campaign_id: map(campaign_id), tier_id: orNull(tier_id, map), from_tier_id: orNull(from_tier_id, map) }
    }
    // Member by member: those of an order can be getters, which a spread leaves out.
    case 'order': return {
      fact: 'order',
      order_id: map(fact.order_id),
      customer_id: orNull(fact.customer_id, map),
      source_id: fact.source_id,
      status: fact.status,
      amount: fact.amount,
      initial_amount: fact.initial_amount,
      discount_amount: fact.discount_amount,
      items_discount_amount: fact.items_discount_amount,
      total_discount_amount: fact.total_discount_amount,
      total_amount: fact.total_amount,
      items: fact.items,
      metadata: fact.metadata,
      created_at: fact.created_at,
      updated_at: fact.updated_at,
      state_digest: fact.state_digest
    }
  }
}
