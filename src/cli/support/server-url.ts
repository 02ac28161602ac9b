import type { Config } from '../../config.ts'
import { CommandError } from '../../app/errors.ts'

/**
 * Where the server is: as told, else where this configuration would serve.
 * @throws CommandError url_malformed
 */
export function serverUrl (config: Config, told: string | undefined): string {
  const url = told ?? `http://${config.HOST.includes(':') ? `[${config.HOST}]` : config.HOST}:${config.PORT}`
  if (!URL.canParse(url)) throw new CommandError('url_malformed', `${url} is no URL. Give one like http://127.0.0.1:3000.`)
  return url.replace(/\/$/, '')
}
