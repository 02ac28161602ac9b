import { MILLISECOND, type Micros } from '../clock.ts'
import type { JsonObject } from '../json.ts'
import type { Campaign, Card, GiftRow, Row, World } from '../model.ts'
import { fullCustomerObject } from '../payloads/customer.ts'
import { giftRowObject } from '../payloads/gift-card.ts'
import { campaignObject, orderObject, voucherObject } from '../payloads/objects.ts'
import { pendingObject } from '../payloads/pending.ts'
import { transactionObject } from '../payloads/transaction.ts'
import type { Dated, Listed } from './paging.ts'

// What the API lists, read from the provider's world as it is at that moment.

/** Rows that are not committed yet: the API does not show them. */
export type Uncommitted = ReadonlySet<string>

/** The rows of a campaign, in the order of their ids: also those of cards that were deleted since. */
export function rowsOfCampaign (world: World, campaign_id: string, uncommitted: Uncommitted): Listed[] {
  return committed(allRows(world, campaign_id), uncommitted)
}

export function rowsOfCard ({ rows }: Card, uncommitted: Uncommitted): Listed[] {
  return committed(sorted(rows.map(listedRow)), uncommitted)
}

function committed (rows: Listed[], uncommitted: Uncommitted): Listed[] {
  return uncommitted.size === 0 ? rows : rows.filter(({ id }) => !uncommitted.has(id))
}

function listedRow (row: Row): Listed {
  return { id: row.id, object: () => transactionObject({ ...row, balance_beside: false }) }
}

/** The rows of a campaign, and how many there were when they were sorted: sorting them for each page takes too long. */
const sortedRows = new WeakMap<World, Map<string, { count: number, rows: Listed[] }>>()

function allRows (world: World, campaign_id: string): Listed[] {
  const cards = world.cards.filter(({ now }) => now.campaign.id === campaign_id)
  const count = cards.reduce((sum, { rows }) => sum + rows.length, 0)
  const known = sortedRows.get(world) ?? new Map<string, { count: number, rows: Listed[] }>()
  sortedRows.set(world, known)
  const before = known.get(campaign_id)
  if (before?.count === count) return before.rows
  const rows = sorted(cards.flatMap(card => card.rows.map(listedRow)))
  known.set(campaign_id, { count, rows })
  return rows
}

/** The rows of a campaign of gift cards. */
export function giftRows ({ gifts }: World, campaign_id: string): Listed[] {
  return sorted(gifts.filter(row => row.campaign_id === campaign_id).map((row: GiftRow) => ({ id: row.id, object: () => giftRowObject(row) })))
}

/** The cards of a campaign. Deleted ones are gone. */
export function membersOf ({ cards }: World, campaign_id: string): Dated[] {
  return cards.filter(({ now, deleted }) => !deleted && now.campaign.id === campaign_id).map(card => ({
    created_at: card.now.created_at,
    updated_at: card.now.updated_at,
    object: () => memberObject(card)
  }))
}

/** A card as the API shows it: all its fields, also those that are empty. */
export function memberObject ({ now }: Card): JsonObject {
  const voucher = voucherObject(now)
  return { ...voucher, holder_id: now.holder?.id ?? null, loyalty_card: { ...voucher.loyalty_card as JsonObject, pending_points: now.pending } }
}

export function lotsOf ({ cards }: World, campaign_id: string): Listed[] {
  return sorted(cards.filter(({ now, deleted }) => !deleted && now.campaign.id === campaign_id).flatMap(card => card.lots.map(lot => ({
    id: lot.id,
    object: () => pendingObject({ lot, points: lot.points, card: card.now, holder: true, ...(lot.updated_at === undefined ? {} : { updated_at: lot.updated_at }) })
  }))))
}

export function ordersOf ({ orders }: World): Dated[] {
  return orders.map(({ now }) => ({
    created_at: now.created_at,
    updated_at: now.updated_at === now.created_at ? null : now.updated_at,
    object: () => orderObject(now)
  }))
}

export function customersOf ({ customers }: World): Dated[] {
  return customers.filter(({ deleted }) => !deleted).map(({ now }) => ({
    created_at: now.created_at,
    updated_at: now.updated_at,
    object: () => fullCustomerObject(now, now.updated_at)
  }))
}

export function campaignsOf ({ campaigns }: World): Dated[] {
  return campaigns.map(campaign => ({ created_at: campaign.created_at, updated_at: null, object: () => campaignObject(campaign) }))
}

export function campaignNamed ({ campaigns }: World, id: string): Campaign | undefined {
  return campaigns.find(campaign => campaign.id === id || campaign.name === id)
}

/** By code or id. Deleted cards are not found. */
export function cardNamed ({ cards }: World, name: string): Card | undefined {
  return cards.find(({ now, deleted }) => !deleted && (now.code === name || now.id === name))
}

/** The latest time in the world: the API's clock is never behind it. */
export function latestOf ({ cards, orders, customers }: World): Micros {
  const times = [...cards.map(({ now }) => now.updated_at), ...orders.map(({ now }) => now.updated_at), ...customers.map(({ now }) => now.updated_at)]
  return times.reduce((latest, at) => Math.max(latest, at), 0) + MILLISECOND
}

function sorted (list: Listed[]): Listed[] {
  return list.sort((a, b) => a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}
