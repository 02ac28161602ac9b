import { SIGNATURE_HEADER } from '../providers/voucherify/wire/signature.ts'
import { AppendRefused } from '../log/appender.ts'
import { quarantine } from './quarantine/quarantine.sql.ts'
import { storeDelivery, type Ingest, type Refusal, type Stored } from './store-delivery.ts'

/** What became of a delivery, committed in each case. */
export type Received =
  | { status: 'accepted' } & Stored
  | { status: 'duplicate' } & Stored
  | { status: 'quarantined', quarantine_id: string } & Refusal

const QUARANTINED_HEADERS = ['content-type', 'user-agent', SIGNATURE_HEADER]

/**
 * Takes an authentic delivery in: its event is stored, or was before, or the delivery waits in quarantine byte for byte.
 * It is never lost in silence. Resolves after the commit. Safe to repeat and to run many times at once.
 * @param body authentic bytes, as received
 * @param headers as received; those that matter to a later reading are kept in quarantine
 * @throws AppendRefused when nothing was committed as far as we know; the sender must try again
 */
export async function receiveDelivery (body: Buffer, headers: Record<string, unknown>, intake: Ingest): Promise<Received> {
  const settled = await storeDelivery(body, intake)
  switch (settled.status) {
    case 'accepted': case 'duplicate': return settled
    case 'unusable': case 'conflict': {
      const { reason, detail } = settled
      const contradicted = settled.status === 'conflict' ? { event_id: settled.event_id, subject: settled.subject } : {}
      const kept = Object.fromEntries(QUARANTINED_HEADERS.flatMap(name => typeof headers[name] === 'string' ? [[name, headers[name]]] : []))
      const { quarantine_id } = await quarantine(intake.db, { provider: 'voucherify', body, headers: kept, reason, detail, ...contradicted }).catch((error: unknown) => {
        throw new AppendRefused('unavailable', 'the database did not take it into quarantine', { cause: error })
      })
      return { status: 'quarantined', quarantine_id: String(quarantine_id), reason, detail }
    }
  }
}
