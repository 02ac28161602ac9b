import { Socket } from 'node:net'

/**
 * Makes sockets that give up on a peer that neither answers nor hangs up because its network is gone. Statements that
 * wait for an answer fail with ETIMEDOUT instead of waiting for ever. TLS over such a socket counts as its traffic.
 * @param timeout_ms since something was last sent or received; idle connections must be closed earlier
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
 * Settings by which the server, too, gives up on a peer that is gone. Its timeouts are longer than the client's, so it
 * never cancels work that a client still waits for.
 */
export function serverTimeouts (timeout_ms: number): Record<string, string> {
  const timeout_seconds = Math.ceil(timeout_ms / 1000)
  return {
    // A worker that is paused or cut off in the middle of a step releases its shard. A live one is idle there only for
    // moments.
    idle_in_transaction_session_timeout: String(timeout_ms * 3),
    // A peer that does not even acknowledge is noticed when there is something to send …
    tcp_user_timeout: String(timeout_ms * 3),
    // … and when there is not.
    tcp_keepalives_idle: String(timeout_seconds),
    tcp_keepalives_interval: String(timeout_seconds),
    tcp_keepalives_count: '2',
    // A statement that its client gave up while it waited for a lock ends, and delays nobody behind it.
    client_connection_check_interval: String(timeout_ms)
  }
}
