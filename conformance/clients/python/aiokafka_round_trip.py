"""The round trip with aiokafka, written in Python for asyncio."""

import asyncio
import json
import sys
import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import CommitFailedError, IllegalStateError
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
TIMEOUT = 60


async def create(name, partitions, config=None):
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    created = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=config or {})])
    assert all(error[1] == 0 for error in created.topic_errors), created
    await admin.close()


async def produce(topic, codec, records, timestamps=None):
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        enable_idempotence=True,
        compression_type=None if codec == "none" else codec,
        max_request_size=1_200_000,
        linger_ms=5,
    )
    async with producer:
        futures = []
        for index, (partition, key, value, headers) in enumerate(records):
            timestamp = None if timestamps is None else timestamps[index]
            futures.append(
                await producer.send(
                    topic, value, key=key, headers=headers, partition=partition, timestamp_ms=timestamp
                )
            )
        results = await asyncio.wait_for(asyncio.gather(*futures), TIMEOUT)
    return [(result.partition, result.offset) for result in results]


def consumer(group, *topics):
    return AIOKafkaConsumer(
        *topics,
        bootstrap_servers=bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=10_000,
        heartbeat_interval_ms=300,
        max_partition_fetch_bytes=2_000_000,
    )


async def read_all(topic, partitions, count):
    lines = {p: [] for p in range(partitions)}
    async with consumer(None) as reader:
        assigned = [TopicPartition(topic, p) for p in range(partitions)]
        reader.assign(assigned)
        await reader.seek_to_beginning(*assigned)
        for _ in range(count):
            message = await asyncio.wait_for(reader.getone(), TIMEOUT)
            lines[message.partition].append(
                record_line(message.offset, message.key, message.value, message.headers)
            )
    return lines


async def round_trip(topic, codec, count, make):
    acked = await produce(topic, codec, [(i % 2, *make(i)) for i in range(count)])
    return topic_report(acked, await read_all(topic, 2, count))


class Member:
    def __init__(self, topic, group):
        self.topic = topic
        self.group = group
        self.assignment = []
        self.seen = set()
        self.all_committed = True
        self.leaving = False
        self.task = asyncio.create_task(self.run())

    async def run(self):
        async with consumer(self.group, self.topic) as reader:
            while not self.leaving:
                batches = await reader.getmany(timeout_ms=100)
                for batch in batches.values():
                    self.seen.update((message.partition, message.offset) for message in batch)
                self.assignment = sorted(p.partition for p in reader.assignment())
                if not batches:
                    continue
                self.all_committed = False
                try:
                    await reader.commit()
                    self.all_committed = True
                except (CommitFailedError, IllegalStateError):
                    pass  # the records come again after the rebalance

    async def leave(self):
        self.leaving = True
        await asyncio.wait_for(self.task, TIMEOUT)


async def until(what, members, condition):
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        for member in members:
            if member.task.done():
                member.task.result()
        if time.monotonic() > deadline:
            raise RuntimeError("timed out: " + what)
        await asyncio.sleep(0.02)


def group_records(count):
    return [(i % GROUP_PARTITIONS, f"key-{i}".encode(), b"v", []) for i in range(count)]


async def group_scenario():
    topic, group = prefix + "-group", prefix + "-group"
    await create(topic, GROUP_PARTITIONS)
    await produce(topic, "none", group_records(200))
    a = Member(topic, group)
    await until("A alone", [a], lambda: len(a.assignment) == 4)
    alone = a.assignment
    b = Member(topic, group)
    await until("A and B", [a, b], lambda: len(a.assignment) == 2 and len(b.assignment) == 2)
    together = [a.assignment, b.assignment]
    await produce(topic, "none", group_records(200))
    await until("all records", [a, b], lambda: len(a.seen | b.seen) == 400)
    await until("all commits", [a, b], lambda: a.all_committed and b.all_committed)
    await b.leave()
    await until("A after B", [a], lambda: len(a.assignment) == 4)
    left = a.assignment
    await a.leave()
    async with consumer(group) as checker:
        committed = {p: await checker.committed(TopicPartition(topic, p)) for p in range(GROUP_PARTITIONS)}
    await produce(topic, "none", group_records(40))
    c = Member(topic, group)
    await until("resumed", [c], lambda: len(c.seen) >= 40)
    await c.leave()
    return {
        "alone": alone,
        "together": together,
        "left": left,
        "seen": seen_digest(a.seen | b.seen),
        "committed": committed,
        "resumed": sorted_offsets(c.seen),
    }


async def times_scenario():
    topic = prefix + "-times"
    await create(topic, 1)
    timestamps = [start_ms + 1000 * i for i in range(RECORDS)]
    await produce(topic, codecs[-1], [(0, None, b"v", [])] * RECORDS, timestamps)
    partition = TopicPartition(topic, 0)
    async with consumer(None) as reader:
        reader.assign([partition])
        looked_up = []
        for timestamp in (start_ms, start_ms + 49_500, start_ms + 100_000):
            found = (await reader.offsets_for_times({partition: timestamp}))[partition]
            looked_up.append(None if found is None else found.offset)
        reader.seek(partition, looked_up[1])
        message = await asyncio.wait_for(reader.getone(), TIMEOUT)
    sought = f"{message.offset}:{message.timestamp - start_ms}"
    return {**dict(zip(("first", "middle", "after"), looked_up)), "sought": sought}


async def main():
    report = {"codecs": {}}
    for name in codecs:
        await create(f"{prefix}-{name}", 2)
        report["codecs"][name] = await round_trip(f"{prefix}-{name}", name, RECORDS, small_record)
    await create(prefix + "-big", 2, {"max.message.bytes": "1100000"})
    report["big"] = await round_trip(prefix + "-big", "none", BIG_RECORDS, big_record)
    report["times"] = await times_scenario()
    report["group"] = await group_scenario()
    print(json.dumps(report))


asyncio.run(main())
