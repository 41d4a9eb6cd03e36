import type { AllowedDifference } from './compare.ts'

/** The differences that are meant, each with its reason. Matched against `#index Api.path: Ottla x, Apache Kafka y`. */
export const allowedDifferences: readonly AllowedDifference[] = [
  {
    path: /[eE]rrorMessage: Ottla "[^"]+", Apache Kafka "[^"]+"$/,
    reason: 'the text of a message is for people and is our own; whether there is one is compared',
  },
  {
    path: /^#\d+ ApiVersions\.response\.apiKeys: /,
    reason: 'an API that is not served yet is not advertised; a test of its own compares those that are',
  },
]
