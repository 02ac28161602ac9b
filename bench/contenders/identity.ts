import { createHash } from 'node:crypto'

/** An event id as a UUID (version 8, of its SHA-256), for those who take no other key: the same id, the same UUID. */
export function uuidOf (event_id: string): string {
  const hex = createHash('sha256').update(event_id).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
