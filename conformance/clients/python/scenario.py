"""The records and digests of the round trip, for the Python clients. See ../scenario.ts."""

import hashlib

RECORDS = 100
BIG_RECORDS = 3
BIG_BYTES = 1_048_576
GROUP_PARTITIONS = 4


def small_record(i):
    key = None if i % 5 == 4 and i % 7 != 6 else f"key-{i}".encode()
    value = None if i % 7 == 6 else bytes((i * 31 + j * 17) & 255 for j in range((i * 37) % 300))
    headers = [("h", f"v{i}".encode()), ("h", f"w{i}".encode())] if i % 3 == 0 else []
    return key, value, headers


def big_record(i):
    value = bytes((i + j * 7 + (j >> 8) * 13) & 255 for j in range(BIG_BYTES))
    return f"key-{i}".encode(), value, []


def record_line(offset, key, value, headers):
    def hexed(data):
        return "-" if data is None else bytes(data).hex()

    names = ";".join(f"{name}={hexed(data)}" for name, data in headers or [])
    return f"{offset}|{hexed(key)}|{hexed(value)}|{names}\n"


def digest(lines):
    sha = hashlib.sha256()
    for line in lines:
        sha.update(line.encode())
    return sha.hexdigest()


def topic_report(acked, lines):
    """acked: (partition, offset) by i; lines: partition -> lines in the order received."""
    return {
        "acked": digest(f"{i}:{p}:{o}\n" for i, (p, o) in enumerate(acked)),
        "partitions": {str(p): {"count": len(lines[p]), "sha": digest(lines[p])} for p in sorted(lines)},
    }


def seen_digest(seen):
    return digest(line + "\n" for line in sorted(f"{p}:{o}" for p, o in seen))


def sorted_offsets(seen):
    return sorted(f"{p}:{o}" for p, o in seen)
