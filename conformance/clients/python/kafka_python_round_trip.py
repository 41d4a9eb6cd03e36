"""The round trip with kafka-python, written in Python from the socket up."""

import json
import sys
import threading
import time

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import CommitFailedError, RebalanceInProgressError
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
admin = KafkaAdminClient(bootstrap_servers=bootstrap)


def create(name, partitions, config=None):
    admin.create_topics([NewTopic(name, partitions, 1, topic_configs=config or {})])


def produce(topic, codec, records, timestamps=None):
    producer = KafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        compression_type=None if codec == "none" else codec,
        max_request_size=1_200_000,
        linger_ms=5,
    )
    futures = []
    for index, (partition, key, value, headers) in enumerate(records):
        timestamp = None if timestamps is None else timestamps[index]
        futures.append(
            producer.send(topic, value, key=key, headers=headers, partition=partition, timestamp_ms=timestamp)
        )
    producer.flush(TIMEOUT)
    results = [future.get(TIMEOUT) for future in futures]
    producer.close()
    return [(result.partition, result.offset) for result in results]


def consumer(group):
    return KafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=10_000,
        heartbeat_interval_ms=300,
        max_partition_fetch_bytes=2_000_000,
    )


def read_all(topic, partitions, count):
    reader = consumer(None)
    assigned = [TopicPartition(topic, p) for p in range(partitions)]
    reader.assign(assigned)
    reader.seek_to_beginning(*assigned)
    lines = {p: [] for p in range(partitions)}
    received = 0
    deadline = time.time() + TIMEOUT
    while received < count and time.time() < deadline:
        for batch in reader.poll(500).values():
            for message in batch:
                lines[message.partition].append(
                    record_line(message.offset, message.key, message.value, message.headers)
                )
                received += 1
    reader.close()
    return lines


def round_trip(topic, codec, count, make):
    acked = produce(topic, codec, [(i % 2, *make(i)) for i in range(count)])
    return topic_report(acked, read_all(topic, 2, count))


members = []


class Member(threading.Thread):
    def __init__(self, topic, group):
        super().__init__(daemon=True)
        self.topic = topic
        self.group = group
        self.assignment = []
        self.seen = set()
        self.leaving = False
        self.failure = None
        members.append(self)
        self.start()

    def run(self):
        try:
            self.consumer = consumer(self.group)
            self.consumer.subscribe([self.topic])
            while not self.leaving:
                self.poll()
            self.consumer.close()
        except Exception as error:
            self.failure = error

    def poll(self):
        batches = self.consumer.poll(100).values()
        for batch in batches:
            self.seen.update((message.partition, message.offset) for message in batch)
        self.assignment = sorted(p.partition for p in self.consumer.assignment())
        try:
            if batches:
                self.consumer.commit()
        except (CommitFailedError, RebalanceInProgressError):
            pass  # the records come again after the rebalance

    def leave(self):
        self.leaving = True
        self.join()
        if self.failure:
            raise self.failure


def until(what, condition):
    deadline = time.time() + TIMEOUT
    while time.time() < deadline:
        for member in members:
            if member.failure:
                raise member.failure
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
    committed = {str(p): checker.committed(TopicPartition(topic, p)) for p in range(GROUP_PARTITIONS)}
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
reader = consumer(None)
looked_up = []
for timestamp in (start_ms, start_ms + 49_500, start_ms + 100_000):
    found = reader.offsets_for_times({TopicPartition(times, 0): timestamp})[TopicPartition(times, 0)]
    looked_up.append(None if found is None else found.offset)
reader.assign([TopicPartition(times, 0)])
reader.seek(TopicPartition(times, 0), looked_up[1])
message = next(reader)
reader.close()
report["times"] = dict(zip(("first", "middle", "after"), looked_up))
report["times"]["sought"] = f"{message.offset}:{message.timestamp - start_ms}"

report["group"] = group_scenario()
admin.close()
print(json.dumps(report))
