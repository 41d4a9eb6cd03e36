"""Two consumers of librdkafka with group.protocol=consumer (KIP-848) share a topic; prints what they saw."""

import sys
import time

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

BOOTSTRAP, TOPIC = sys.argv[1:3]
PARTITIONS = 4
RECORDS = 40
TIMEOUT_S = 60


def consumer():
    made = Consumer({
        "bootstrap.servers": BOOTSTRAP,
        "group.id": TOPIC,
        "group.protocol": "consumer",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    })
    made.subscribe([TOPIC])
    return made


def poll_until(condition, consumers):
    values = set()
    deadline = time.time() + TIMEOUT_S
    while not condition(values):
        if time.time() > deadline:
            raise SystemExit("it did not come to that")
        for each in consumers:
            message = each.poll(0.05)
            if message is not None and message.error() is None:
                values.add(message.value())
    return values


admin = AdminClient({"bootstrap.servers": BOOTSTRAP})
admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result()
producer = Producer({"bootstrap.servers": BOOTSTRAP})
for i in range(RECORDS):
    producer.produce(TOPIC, f"v{i}".encode(), partition=i % PARTITIONS)
producer.flush()

a, b = consumer(), consumer()
seen = poll_until(lambda values: len(values) == RECORDS, [a, b])
print("seen", len(seen))
poll_until(lambda _: len(a.assignment()) == 2 and len(b.assignment()) == 2, [a, b])
print("shared")
for each in (a, b):
    offsets = [TopicPartition(TOPIC, assigned.partition, RECORDS // PARTITIONS) for assigned in each.assignment()]
    for committed in each.commit(offsets=offsets, asynchronous=False):
        assert committed.error is None, committed
b.close()
poll_until(lambda _: len(a.assignment()) == PARTITIONS, [a])
print("alone")
a.close()
