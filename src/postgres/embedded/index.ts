export { openCluster, type EmbeddedCluster, type OpenClusterOptions } from './cluster.ts'
export { EmbeddedPostgresError, type EmbeddedPostgresCode } from './errors.ts'
