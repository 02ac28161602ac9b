// As much of PostgreSQL's wire protocol as a proxy needs to see: where messages begin, and which of them matter.

/** Takes chunks and gives whole messages: type byte (undefined for a packet of the start) and all its bytes. */
export function createFramer (startup: boolean): (chunk: Buffer) => Array<{ type: string | undefined, bytes: Buffer }> {
  let rest: Buffer = Buffer.alloc(0)
  let typed = !startup
  return chunk => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const messages = []
    for (;;) {
      const header = typed ? 1 : 0
      if (rest.length < header + 4) return messages
      const end = header + rest.readInt32BE(header)
      if (rest.length < end) return messages
      const bytes = rest.subarray(0, end)
      rest = rest.subarray(end)
      messages.push({ type: typed ? String.fromCharCode(bytes[0]!) : undefined, bytes })
      // After a request for TLS there comes another packet without a type; the startup packet is the last.
      if (!typed) typed = bytes.readInt32BE(4) >> 16 === 3
    }
  }
}

const TLS_REQUEST = 80_877_103

export function asksForTls (packet: Buffer): boolean {
  return packet.length === 8 && packet.readInt32BE(4) === TLS_REQUEST
}

/** The application_name of a startup packet; empty where it has none. */
export function applicationName (packet: Buffer): string {
  const parameters = packet.subarray(8).toString().split('\0')
  return parameters[parameters.indexOf('application_name') + 1] ?? ''
}

/**
 * Does the server answer it with ReadyForQuery: Query, Sync, FunctionCall? Parse, Bind and Execute wait for their Sync.
 */
export function isRequest (type: string | undefined): boolean {
  return type === 'Q' || type === 'S' || type === 'F'
}

/** The SQL of a Query or a Parse; undefined for other messages. */
export function statementOf (type: string | undefined, bytes: Buffer): string | undefined {
  if (type === 'Q') return bytes.toString('utf8', 5, bytes.length - 1)
  // Parse: the name of the statement, its text, and the types of its parameters.
  return type === 'P' ? bytes.toString('utf8', 5).split('\0')[1] : undefined
}

export const READY = 'Z'
