/** A bug to plant: in one file of src one text is replaced by another. */
export interface Plant {
  bug: string
  file: string
  find: string
  instead: string
  /** What must notice it: one of the differences found reads so. */
  noticed: RegExp
}

export const PLANTS: readonly Plant[] = [
  {
    bug: 'a movement is recorded when it was last observed',
    file: 'ledger/movements.ts',
    find: '=> recorded_at < earliest',
    instead: '=> recorded_at > earliest',
    noticed: /recorded_at should be/
  },
  {
    bug: 'the event of the lowest source rank is named',
    file: 'ledger/movements.ts',
    find: 'event_id: best.event_id',
    instead: 'event_id: ([...observations].sort(compareObservations).at(-1) ?? best).event_id',
    noticed: /event_id should be/
  },
  {
    bug: 'any event is named',
    file: 'ledger/movements.ts',
    find: 'event_id: best.event_id',
    instead: 'event_id: (observations.at(-1) ?? best).event_id',
    noticed: /event_id should be/
  },
  {
    bug: 'the lowest source rank wins',
    file: 'ledger/movements.ts',
    find: 'b.source_rank - a.source_rank',
    instead: 'a.source_rank - b.source_rank',
    noticed: /occurred_at should be/
  },
  {
    bug: 'the oldest value of a profile wins',
    file: 'ledger/latest.ts',
    find: 'compareFieldObservations(a, b, name) >= 0',
    instead: 'compareFieldObservations(a, b, name) <= 0 && a.field_times[name] !== undefined',
    noticed: /^customer \S+: (name|email|metadata) should be/
  },
  {
    bug: 'a customer who leaves a tier stays in it',
    file: 'providers/voucherify/families/tier.ts',
    find: "change === 'left' ? null : requiredId(to?.id",
    instead: "requiredId(change === 'left' ? from?.id : to?.id",
    noticed: /tier in \S+ should be "?none/
  },
  {
    bug: 'failed redemptions spend points',
    file: 'providers/voucherify/payloads/redemption.ts',
    find: "result !== 'FAILURE' && status !== 'FAILED'",
    instead: 'true || result === status',
    noticed: /line redemption:\S+ should be no such line/
  },
  {
    bug: 'a redemption counts as failed only if both its fields say so',
    file: 'providers/voucherify/payloads/redemption.ts',
    find: "result !== 'FAILURE' && status !== 'FAILED'",
    instead: "result !== 'FAILURE' || status !== 'FAILED'",
    noticed: /line redemption:\S+ should be no such line/
  },
  {
    bug: 'the items of an order are dropped',
    file: 'providers/voucherify/payloads/order.ts',
    find: 'const items = jsonText(this.#described.items)',
    instead: 'const items = null',
    noticed: /^order \S+: items should be/
  },
  {
    bug: 'the deletion of a customer is dropped',
    file: 'providers/voucherify/families/customer.ts',
    find: 'fields.deleted_at = occurred_at',
    instead: 'fields.deleted_at = null',
    noticed: /^customer \S+: deleted_at should be/
  },
  {
    bug: 'the deletion of a card is dropped',
    file: 'providers/voucherify/families/card.ts',
    find: 'observation.fields.deleted_at = at',
    instead: "observation.fields.active = 'true'",
    noticed: /^card \S+: deleted_at should be/
  },
  {
    bug: 'of two states of one time the older one becomes the order',
    file: 'ledger/orders.ts',
    find: 'a.status_rank - b.status_rank',
    instead: 'b.status_rank - a.status_rank',
    noticed: /^order \S+: status should be/
  },
  {
    bug: 'status ranks are reversed',
    file: 'ledger/orders.ts',
    find: 'return STATUSES.indexOf(status)',
    instead: 'return -STATUSES.indexOf(status)',
    noticed: /^order \S+: status should be/
  },
  {
    bug: 'the day on which pending points become available is dropped',
    file: 'providers/voucherify/families/pending.ts',
    find: 'activates_on: dayOf(lot.activates_at)',
    instead: 'activates_on: null',
    noticed: /activates_on should be/
  },
  {
    bug: 'a lot that ended can continue',
    file: 'ledger/pending.ts',
    find: 'Number(ends(a)) - Number(ends(b)) ||',
    instead: '',
    noticed: /pending should be/
  },
  {
    bug: 'a card assigned and released at once stays with its holder',
    file: 'ledger/holders.ts',
    find: "newest.held_at ?? '') >= 0",
    instead: "newest.held_at ?? '') > 0",
    noticed: /^card \S+: customer_id should be null/
  },
  {
    bug: 'two awards that differ in points only are one',
    file: 'providers/voucherify/families/award.ts',
    find: 'points: movement.points,',
    instead: '',
    noticed: /delivery of conflict \S+loyalty_points.* answer should be/
  },
  {
    bug: 'two awards that differ in the balance only are one',
    file: 'providers/voucherify/families/award.ts',
    find: 'balance: movement.reported_balance,',
    instead: '',
    noticed: /delivery of conflict \S+loyalty_points.* answer should be/
  },
  {
    bug: 'two awards of one order differ by their card alone',
    file: 'providers/voucherify/families/award.ts',
    find: "movementKey('award', trigger, rule, card_id)",
    instead: "movementKey('award', trigger, card_id)",
    noticed: /line award:/
  },
  {
    bug: 'among movements of one time spends without a balance are not tried everywhere',
    file: 'ledger/sequence.ts',
    find: 'if (gapless !== undefined) return gapless',
    instead: '',
    noticed: /place \d+ of the statement should be|line unexplained:\S+ should be no such line/
  },
  {
    bug: 'credits of gift cards count as points',
    file: 'providers/voucherify/families/row-reading.ts',
    find: "type.startsWith('CREDITS_')",
    instead: "type.startsWith('no such type')",
    noticed: /row should be none/
  },
  {
    bug: 'the price of a reward ranks as high as its redemption',
    file: 'ledger/facts.ts',
    find: 'priced: 0,',
    instead: 'priced: 2,',
    noticed: /line redemption:\S+: points should be/
  },
  {
    bug: 'observed: the balance that a spend is seen with is dropped',
    file: 'ledger/snapshots.ts',
    find: '? movement : { ...movement, observed_balance: snapshot.balance }',
    instead: '? movement : movement',
    noticed: /(balance|observed) should be/
  },
  {
    bug: "observed: a reward's own id is taken for that of the spend",
    file: 'providers/voucherify/families/reward-redemption.ts',
    find: "id: redemption_id, kind: 'redemption'",
    instead: "id, kind: 'redemption'",
    noticed: /line redemption:rewr\S+ should be no such line/
  },
  {
    bug: 'observed: an order inside another event that was never updated is dropped',
    file: 'providers/voucherify/payloads/order.ts',
    find: 'optionalInstant(order.updated_at, order.created_at) !== null',
    instead: 'optionalInstant(order.updated_at) !== null',
    noticed: /^order \S+: /
  },
  {
    bug: 'observed: a movement stays at the time of its send-out',
    file: 'ledger/settle.ts',
    find: '!movements.some(isMovable) || isGapless(ordered, balance) ? ordered',
    instead: 'ordered.length >= 0 ? ordered',
    noticed: /dated_at should be|line unexplained:\S+ should be no such line/
  },
  {
    bug: 'observed: the total of pending points is not looked at',
    file: 'ledger/pending.ts',
    find: 'if (at === undefined) return',
    instead: 'if (newest.length >= 0) return',
    noticed: /pending(_unexplained)? should be/
  },
  {
    bug: 'observed: a snapshot counts against a balance that is stated later',
    file: 'ledger/card.ts',
    find: 'if (implied !== undefined && implied !== snapshot.balance) return',
    instead: '',
    noticed: /line unexplained:snapshot:\S+ should be no such line/
  },
  {
    bug: 'observed: a snapshot without a movement is dropped',
    file: 'projections/cards/projection.ts',
    find: "shown.filter(({ figure }) => figure === 'balance')",
    instead: 'shown.slice(shown.length)',
    noticed: /balance_stated_at should be|line unexplained:snapshot/
  },
  {
    bug: 'observed: points on cards that ended are available',
    file: 'ledger/availability.ts',
    find: "totals[unavailableAt(card, at) === null ? 'balance' : 'unavailable']",
    instead: "totals['balance']",
    noticed: /^customer \S+: (balance|unavailable) should be/
  }
]
