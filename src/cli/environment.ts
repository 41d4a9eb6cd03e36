/** KAFKA_ variables that the official container image reads for other purposes. */
const NOT_PROPERTIES = new Set([
  'KAFKA_VERSION',
  'KAFKA_HEAP_OPTS',
  'KAFKA_LOG4J_OPTS',
  'KAFKA_OPTS',
  'KAFKA_JMX_OPTS',
  'KAFKA_JVM_PERFORMANCE_OPTS',
  'KAFKA_GC_LOG_OPTS',
  'KAFKA_LOG4J_ROOT_LOGLEVEL',
  'KAFKA_LOG4J_LOGGERS',
  'KAFKA_TOOLS_LOG4J_LOGLEVEL',
  'KAFKA_JMX_HOSTNAME',
])

/**
 * The properties in KAFKA_ environment variables, as the official container image reads them: KAFKA_LOG_DIRS is
 * log.dirs; one underscore is a dot, two are an underscore, three are a dash.
 */
export function propertiesFromEnvironment(environment: ReadonlyMap<string, string>): Map<string, string> {
  const properties = new Map<string, string>()
  for (const [variable, value] of environment) {
    if (!variable.startsWith('KAFKA_') || NOT_PROPERTIES.has(variable)) continue
    const name = variable
      .slice('KAFKA_'.length)
      .toLowerCase()
      .replaceAll('_', '.')
      .replaceAll('...', '-')
      .replaceAll('..', '_')
    if (name !== '') properties.set(name, value)
  }
  return properties
}
