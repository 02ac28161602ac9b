import type { Campaign, World } from '../model.ts'
import { notFound, refused, type ApiAnswer } from './answer.ts'
import { campaignNamed, campaignsOf, cardNamed, customersOf, giftRows, lotsOf, memberObject, membersOf, ordersOf, rowsOfCampaign, rowsOfCard, type Uncommitted } from './lists.ts'
import { limitOf, numberedPage, pageAfter } from './paging.ts'

/** One request to the API: its path in parts, without `/v1`. */
export interface ApiRequest { method: string, path: readonly string[], query: URLSearchParams }

/** Answers a request whose key is right, from the world as it is now. */
export function answerTo (request: ApiRequest, world: World, uncommitted: Uncommitted): ApiAnswer {
  const { method, path: [first, second, third, fourth], path } = request
  if (method !== 'GET') return refused(405, 'method_not_allowed', 'Method not allowed')
  if (first === 'orders' && path.length === 1) return numberedPage(ordersOf(world), request.query, 'orders')
  if (first === 'customers' && path.length === 1) return numberedPage(customersOf(world), request.query, 'customers')
  if (first === 'vouchers') return ofCard(request, second ?? '', third, world, uncommitted)
  if (first !== 'loyalties') return notFound('path', `/v1/${path.join('/')}`)
  if (path.length === 1) return numberedPage(campaignsOf(world), request.query, 'data')
  if (second === 'members') return ofCard(request, third ?? '', fourth, world, uncommitted)
  return ofCampaign(request, second ?? '', third, world, uncommitted)
}

function ofCard ({ query }: ApiRequest, name: string, part: string | undefined, world: World, uncommitted: Uncommitted): ApiAnswer {
  const card = cardNamed(world, name)
  if (card === undefined) return notFound('voucher', name)
  if (part === undefined) return { status: 200, body: memberObject(card) }
  if (part === 'transactions') return pageAfter(rowsOfCard(card, uncommitted), query)
  return notFound('path', part)
}

function ofCampaign ({ query }: ApiRequest, name: string, part: string | undefined, world: World, uncommitted: Uncommitted): ApiAnswer {
  if (giftRows(world, name).length > 0) return refused(403, 'invalid_campaign_type', 'Invalid campaign type', { details: `Campaign ${name} is not a loyalty program` })
  const campaign = campaignNamed(world, name)
  if (campaign === undefined) return notFound('campaign', name)
  return listOf(campaign, part, query, world, uncommitted)
}

function listOf ({ id }: Campaign, part: string | undefined, query: URLSearchParams, world: World, uncommitted: Uncommitted): ApiAnswer {
  const limit = limitOf(query)
  if (typeof limit !== 'number') return limit
  if (part === 'transactions') return pageAfter(rowsOfCampaign(world, id, uncommitted), query)
  if (part === 'members') return numberedPage(membersOf(world, id), query, 'vouchers')
  if (part === 'pending-points') return pageAfter(lotsOf(world, id), query)
  return notFound('path', part ?? '')
}
