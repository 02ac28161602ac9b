import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { failureOf, whyUnavailable, type Unavailability } from '../../postgres/errors.ts'
import { Problem } from '../problem.ts'

/** Fastify's own refusals as problems of this API. */
const FRAMEWORK_PROBLEMS: Record<string, [code: string, detail: string]> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['body_too_large', 'The body is larger than BODY_LIMIT_BYTES allows. Raise the limit if such deliveries are real.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['media_type_unsupported', 'Send the body as content-type: application/json.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['content_length_wrong', 'The body does not have the length that content-length says.'],
  FST_ERR_BAD_URL: ['url_malformed', 'The path is not a valid percent-encoded URL.'],
  FST_ERR_MAX_PARAM_LENGTH: ['url_malformed', 'A part of the path is longer than any id.']
}

/** Why the database gave no answer. */
const UNAVAILABLE: Record<Unavailability, [code: string, detail: string]> = {
  unreachable: ['database_unavailable', 'The database is not available. Try again shortly.'],
  exhausted: ['connections_exhausted', 'All database connections of this process were in use for too long (DATABASE_POOL_SIZE). Try again shortly.'],
  timeout: ['database_timeout', 'The database took too long over this (DATABASE_TIMEOUT_MS), or waited for a lock that somebody else holds. Try again shortly.']
}

/** Every error leaves as application/problem+json, with a stable code and never a stack trace. */
export default fp(async function problems (app) {
  app.setErrorHandler((error: FastifyError, request, reply) => send(toProblem(error), error, request, reply))
  app.setNotFoundHandler((request, reply) => {
    const problem = new Problem(404, 'route_not_found', `There is no ${request.method} ${request.url.split('?', 1)[0]}. docs/http-api.md lists what there is.`)
    return send(problem, problem, request, reply)
  })
}, { name: 'problems' })

/** Answers what is not HTTP, or does not arrive in time, so that there is no request. */
export function refuseMalformed (this: FastifyInstance, error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) return
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400
  const body = JSON.stringify(render(new Problem(status, 'http_malformed', 'This is not a whole HTTP request, sent in time, with headers of at most 16 kB.')))
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`)
}

/** Answers with a problem from outside a route, where no error handler reaches. */
export function send (problem: Problem, cause: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  // A defect needs its stack, a database that is away or a full queue a line; a client's mistake needs neither.
  if (problem.statusCode === 500) request.log.error({ err: cause }, problem.message)
  else if (problem.statusCode === 503) request.log.warn({ code: problem.code, reason: reasonOf(problem) }, problem.message)
  return reply
    .code(problem.statusCode)
    .headers(problem.headers)
    .type('application/problem+json')
    .send(JSON.stringify(render(problem)))
}

function render (problem: Problem): Record<string, unknown> {
  return {
    ...problem.members,
    type: `urn:loyalty-ledger:problem:${problem.code}`,
    title: STATUS_CODES[problem.statusCode] ?? 'Error',
    status: problem.statusCode,
    code: problem.code,
    detail: problem.message
  }
}

function reasonOf (problem: Problem): string | undefined {
  let reason: unknown = problem
  while (reason instanceof Error && reason.cause !== undefined) reason = reason.cause
  return reason === problem ? undefined : (reason as Error).message
}

export function toProblem (error: FastifyError | Problem): Problem {
  if (error instanceof Problem) return error
  const known = FRAMEWORK_PROBLEMS[error.code]
  if (known !== undefined) return new Problem(error.statusCode === 414 ? 400 : error.statusCode ?? 400, ...known, { cause: error })
  if (error.validation !== undefined) {
    return new Problem(400, 'request_invalid', `${error.message}. GET /openapi.json says what this route takes.`, { cause: error })
  }
  if (failureOf(error) === 'unavailable') return new Problem(503, ...UNAVAILABLE[whyUnavailable(error)], { cause: error, headers: { 'retry-after': '5' } })
  const status = error.statusCode ?? 500
  if (status < 500) return new Problem(status, 'request_invalid', error.message, { cause: error })
  return new Problem(500, 'internal_error', 'Something failed here that should not. The server log has the reason.', { cause: error })
}
