import type { AllowedDifference } from './compare.ts'

/** The differences that are meant, each with its reason. Matched against `#index Api.path: Ottla x, Apache Kafka y`. */
export const allowedDifferences: readonly AllowedDifference[] = [
  {
    path: /[eE]rrorMessage: Ottla "[^"]+", Apache Kafka "(?:[^"\\]|\\.)+"$/,
    reason: 'the text of a message is for people and is our own; whether there is one is compared',
  },
  {
    path: /^#\d+ \((metric\.reporters|principal\.builder\.class|ssl\.engine\.factory\.class)=.*\.response\.responses\[0\]\.error/,
    reason: 'Apache Kafka loads Java classes by these names and fails; here there are none to load',
  },
  {
    path: /^#\d+ \(.*\) DescribeLogDirs\..*\.partitionSize: Ottla \d+, Apache Kafka \d+$/,
    reason:
      'of all logs at once, some were compressed again by the broker: no two codecs give the same number of bytes',
  },
  {
    path: /^#\d+ (\(.*\) )?ApiVersions\.response\.apiKeys: /,
    reason: 'an API that is not served yet is not advertised; a test of its own compares those that are',
  },
  {
    path: /^#\d+ \(.*\) AddPartitionsToTxn\.response: Ottla .*"resultsByTransaction":\[\].*, Apache Kafka "no answer"$/,
    reason: 'asked for no transaction at all, Apache Kafka never answers, and lets the connection wait',
  },
  {
    path: /^#\d+ (\(.*\) )?FetchSnapshot\.response\.(errorCode: Ottla \d+, Apache Kafka -1|(topics|nodeEndpoints): Ottla .*, Apache Kafka \[\])$/,
    reason: 'Apache Kafka cannot write an answer without records, and says only that something went wrong',
  },
]
