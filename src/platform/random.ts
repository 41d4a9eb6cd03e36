/** Source of randomness; seeded in tests and simulations. */
export interface Random {
  /** `length` random bytes. */
  bytes(length: number): Buffer
  /** A whole number, 0 <= n < `below` (1 to 2^31). */
  below(below: number): number
}

/** A random (version 4) UUID as Kafka prints it: 22 characters of base64url, never starting with '-'. */
export function randomUuid(random: Random): string {
  for (;;) {
    const bytes = random.bytes(16)
    bytes[6] = (bytes[6]! & 0x0f) | 0x40
    bytes[8] = (bytes[8]! & 0x3f) | 0x80
    const text = bytes.toString('base64url')
    // A leading dash would look like an option on a command line; Kafka avoids it for the same reason.
    if (!text.startsWith('-')) return text
  }
}
