import { Socket } from 'node:net'

/**
 * Makes sockets that give up on a peer that neither answers nor hangs up, as one does whose network is gone: what waits
 * for an answer fails then, with ETIMEDOUT, instead of waiting for ever. TLS over such a socket counts as its traffic.
 * @param silence_ms since something was last sent or received; connections at rest must be closed earlier
 */
export function socketsWithTimeout (timeout_ms: number): () => Socket {
  return () => {
    const socket = new Socket()
    return socket.setTimeout(timeout_ms, () => {
      socket.destroy(Object.assign(new Error(`the database has said nothing for ${timeout_ms} ms`), { code: 'ETIMEDOUT' }))
    })
  }
}

/**
 * Settings of a session, so that the server, too, gives up on a peer that is gone. It must outlast us: what we still wait
 * for must not be taken back because we are slow.
 */
export function serverTimeouts (timeout_ms: number): Record<string, string> {
  const timeout_seconds = Math.ceil(timeout_ms / 1000)
  return {
    // A worker that is paused or cut off in the middle of a step lets go of its shard. A live one works there for moments only.
    idle_in_transaction_session_timeout: String(timeout_ms * 3),
    // A peer that does not even acknowledge is noticed where there is something to send …
    tcp_user_timeout: String(timeout_ms * 3),
    // … and where there is not.
    tcp_keepalives_idle: String(timeout_seconds),
    tcp_keepalives_interval: String(timeout_seconds),
    tcp_keepalives_count: '2',
    // What we gave up on while it waited for a lock is ended, and holds up nobody behind it.
    client_connection_check_interval: String(timeout_ms)
  }
}
