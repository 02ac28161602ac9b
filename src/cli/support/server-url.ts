import type { Config } from '../../config.ts'
import { CommandError } from '../../app/errors.ts'

/**
 * The URL of the server: the given one, otherwise the one that this configuration would serve.
 * @throws CommandError url_malformed
 */
export function serverUrl (config: Config, given: string | undefined): string {
  const url = given ?? `http://${config.HOST.includes(':') ? `[${config.HOST}]` : config.HOST}:${config.PORT}`
  if (!URL.canParse(url)) throw new CommandError('url_malformed', `${url} is not a URL. Give one like http://127.0.0.1:3000.`)
  return url.replace(/\/$/, '')
}
