import { int, list, long, string } from '../setting.ts'
import { atLeast, distinct } from '../validators.ts'

/** Metrics of the broker and of its clients. */
// biome-ignore format: a table reads best with one setting in one place
export const metricsSettings = {
  'kafka.metrics.polling.interval.secs': int(10, atLeast(1), 'low', 'read-only', 'ignored',
    'Polling interval of the classes in kafka.metrics.reporters.'),
  'kafka.metrics.reporters': list([], distinct, 'low', 'read-only', 'ignored',
    'Java classes that report metrics the old way; Java classes are never loaded here.'),
  'metric.reporters': list(['org.apache.kafka.common.metrics.JmxReporter'], distinct, 'low', 'cluster-wide', 'ignored',
    'Java classes that report metrics; Java classes are never loaded here.'),
  'metrics.num.samples': int(2, atLeast(1), 'low', 'read-only', 'ignored',
    'Samples kept to compute a metric.'),
  'metrics.recording.level': string('INFO', null, 'low', 'read-only', 'ignored',
    'The finest level of metrics that are recorded.'),
  'metrics.sample.window.ms': long(30000n, atLeast(1), 'low', 'read-only', 'ignored',
    'Length of the window over which one sample of a metric is taken.'),
  'telemetry.max.bytes': int(1048576, atLeast(1), 'low', 'read-only', 'works',
    'Largest push of client metrics.'),
} as const
