"""The round trip with confluent-kafka (librdkafka)."""

import json
import sys
import threading
import time

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from scenario import (
    BIG_RECORDS,
    GROUP_PARTITIONS,
    RECORDS,
    big_record,
    record_line,
    seen_digest,
    small_record,
    sorted_offsets,
    topic_report,
)

bootstrap, prefix, codec_list, start_text = sys.argv[1:5]
codecs = codec_list.split(",")
start_ms = int(start_text)
TIMEOUT = 30


def create(name, partitions, config=None):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics([NewTopic(name, partitions, 1, config=config or {})]).values():
        future.result(TIMEOUT)


def produce(topic, codec, records, timestamps=None):
    """records: (partition, key, value, headers); returns (partition, offset) in the same order."""
    producer = Producer({
        "bootstrap.servers": bootstrap,
        "enable.idempotence": True,
        "compression.type": codec,
        "message.max.bytes": 1_200_000,
        "linger.ms": 5,
    })
    acked = [None] * len(records)

    def note(index):
        def delivered(error, message):
            if error:
                raise RuntimeError(str(error))
            acked[index] = (message.partition(), message.offset())

        return delivered

    for index, (partition, key, value, headers) in enumerate(records):
        extra = {} if timestamps is None else {"timestamp": timestamps[index]}
        producer.produce(
            topic, value=value, key=key, partition=partition, headers=headers, on_delivery=note(index), **extra
        )
    if producer.flush(TIMEOUT) != 0:
        raise RuntimeError("records left after flush")
    return acked


def consumer(group, **extra):
    return Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "session.timeout.ms": 10_000,
        "heartbeat.interval.ms": 300,
        "check.crcs": True,
        **extra,
    })


def read_all(topic, partitions, count):
    reader = consumer(prefix + "-reader")
    reader.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
    lines = {p: [] for p in range(partitions)}
    received = 0
    deadline = time.time() + TIMEOUT
    while received < count and time.time() < deadline:
        message = reader.poll(0.5)
        if message is None:
            continue
        if message.error():
            raise RuntimeError(str(message.error()))
        lines[message.partition()].append(
            record_line(message.offset(), message.key(), message.value(), message.headers())
        )
        received += 1
    reader.close()
    return lines


def round_trip(topic, codec, count, make):
    acked = produce(topic, codec, [(i % 2, *make(i)) for i in range(count)])
    return topic_report(acked, read_all(topic, 2, count))


class Member(threading.Thread):
    def __init__(self, topic, group):
        super().__init__(daemon=True)
        self.consumer = consumer(group)
        self.consumer.subscribe([topic], on_assign=self.assigned, on_revoke=self.revoked)
        self.assignment = []
        self.seen = set()
        self.leaving = False
        self.start()

    def assigned(self, _, partitions):
        self.assignment = sorted(p.partition for p in partitions)

    def revoked(self, _, partitions):
        self.assignment = []
        try:
            self.consumer.commit(asynchronous=False)
        except Exception:
            pass  # nothing was read since the last commit

    def run(self):
        while not self.leaving:
            message = self.consumer.poll(0.1)
            if message is not None and not message.error():
                self.seen.add((message.partition(), message.offset()))
        self.consumer.close()

    def leave(self):
        self.leaving = True
        self.join()


def until(what, condition):
    deadline = time.time() + TIMEOUT
    while time.time() < deadline:
        if condition():
            return
        time.sleep(0.02)
    raise RuntimeError("timed out: " + what)


def group_records(count):
    return [(i % GROUP_PARTITIONS, f"key-{i}".encode(), b"v", []) for i in range(count)]


def group_scenario():
    topic, group = prefix + "-group", prefix + "-group"
    create(topic, GROUP_PARTITIONS)
    produce(topic, "none", group_records(200))
    a = Member(topic, group)
    until("A alone", lambda: len(a.assignment) == 4)
    alone = a.assignment
    b = Member(topic, group)
    until("A and B", lambda: len(a.assignment) == 2 and len(b.assignment) == 2)
    together = [a.assignment, b.assignment]
    produce(topic, "none", group_records(200))
    until("all records", lambda: len(a.seen | b.seen) == 400)
    b.leave()
    until("A after B", lambda: len(a.assignment) == 4)
    left = a.assignment
    a.leave()
    checker = consumer(group)
    partitions = [TopicPartition(topic, p) for p in range(GROUP_PARTITIONS)]
    committed = {str(p.partition): p.offset for p in checker.committed(partitions, timeout=TIMEOUT)}
    checker.close()
    produce(topic, "none", group_records(40))
    c = Member(topic, group)
    until("resumed", lambda: len(c.seen) >= 40)
    c.leave()
    return {
        "alone": alone,
        "together": together,
        "left": left,
        "seen": seen_digest(a.seen | b.seen),
        "committed": committed,
        "resumed": sorted_offsets(c.seen),
    }


report = {"codecs": {}}
for name in codecs:
    create(f"{prefix}-{name}", 2)
    report["codecs"][name] = round_trip(f"{prefix}-{name}", name, RECORDS, small_record)

create(prefix + "-big", 2, {"max.message.bytes": "1100000"})
report["big"] = round_trip(prefix + "-big", "none", BIG_RECORDS, big_record)

times = prefix + "-times"
create(times, 1)
produce(times, codecs[-1], [(0, None, b"v", [])] * RECORDS, [start_ms + 1000 * i for i in range(RECORDS)])
reader = consumer(prefix + "-reader")
looked_up = []
for timestamp in (start_ms, start_ms + 49_500, start_ms + 100_000):
    found = reader.offsets_for_times([TopicPartition(times, 0, timestamp)], timeout=TIMEOUT)[0].offset
    looked_up.append(None if found < 0 else found)
reader.assign([TopicPartition(times, 0, looked_up[1])])
message = reader.poll(TIMEOUT)
reader.close()
report["times"] = dict(zip(("first", "middle", "after"), looked_up))
report["times"]["sought"] = f"{message.offset()}:{message.timestamp()[1] - start_ms}"

report["group"] = group_scenario()
print(json.dumps(report))
