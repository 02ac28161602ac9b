import type { Provider } from '../providers/provider.ts'
import { refusedBeside } from '../log/appender.ts'
import { quarantine } from './quarantine/quarantine.sql.ts'
import { providersOf, storeDelivery, type Ingest, type Refusal, type Stored } from './store-delivery.ts'

/** What became of a delivery, committed in each case. */
export type Received =
  | { status: 'accepted' } & Stored
  | { status: 'duplicate' } & Stored
  | { status: 'quarantined', quarantine_id: string } & Refusal

const QUARANTINED_HEADERS = ['content-type', 'user-agent']

/**
 * Receives an authentic delivery: its event is stored now, or was stored before, or the delivery is quarantined byte
 * for byte. It is never lost. Resolves after the commit. Safe to repeat and to run many times at once.
 * @param body authentic bytes, as received
 * @param headers as received; quarantine keeps those that matter to a later reading
 * @param provider who sent it; the first of the list where nothing is said
 * @throws AppendRefused when nothing was committed as far as we know; the sender must try again
 */
export async function receiveDelivery (
  body: Buffer, headers: Record<string, unknown>, intake: Ingest, provider: Provider = providersOf(intake).first
): Promise<Received> {
  const stored = await storeDelivery(body, intake, provider)
  switch (stored.status) {
    case 'accepted': case 'duplicate': return stored
    case 'unusable': case 'conflict': {
      const { reason, detail } = stored
      const contradicted = stored.status === 'conflict' ? { event_id: stored.event_id, subject: stored.subject } : {}
      const row = { provider: provider.name, body, headers: headersToKeep(headers, provider), reason, detail, ...contradicted }
      const { quarantine_id } = await quarantine(intake.db, row).catch((error: unknown) => {
        throw refusedBeside('the database did not store it in quarantine', error)
      })
      return { status: 'quarantined', quarantine_id: String(quarantine_id), reason, detail }
    }
  }
}

function headersToKeep (headers: Record<string, unknown>, { webhook }: Provider): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const name of [...QUARANTINED_HEADERS, ...webhook.signature_headers]) {
    const value = headers[name]
    if (typeof value === 'string') kept[name] = value
  }
  return kept
}
