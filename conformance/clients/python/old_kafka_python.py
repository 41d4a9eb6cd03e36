"""The round trip of kafka-python 1.3 at the protocol of 0.9: produces in a codec, reads back, and reads in a group."""

import sys
import time

from kafka import KafkaConsumer, KafkaProducer

COUNT = 100
OLD = (0, 9)


def produce(bootstrap, topic, codec):
    producer = KafkaProducer(
        bootstrap_servers=bootstrap, api_version=OLD, acks="all", compression_type=codec, linger_ms=20
    )
    for i in range(COUNT):
        value = None if i % 7 == 6 else b"value-%d" % i
        producer.send(topic, key=b"key-%d" % i, value=value, partition=0)
    producer.flush()
    producer.close()


def read(bootstrap, topic, group, what):
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        api_version=OLD,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=10000,
        heartbeat_interval_ms=300,
    )
    seen = 0
    end = time.time() + 30
    while seen < COUNT and time.time() < end:
        for records in consumer.poll(timeout_ms=200).values():
            for record in records:
                seen += 1
                value = "null" if record.value is None else record.value.decode()
                print(what, record.offset, record.key.decode(), value)
    if group is not None:
        consumer.commit()
    consumer.close()


def main(bootstrap, prefix):
    for codec in (None, "gzip"):
        name = codec or "none"
        topic = f"{prefix}-{name}"
        produce(bootstrap, topic, codec)
        read(bootstrap, topic, None, name)
    topic = f"{prefix}-none"
    read(bootstrap, topic, prefix, "group")
    produce(bootstrap, topic, None)
    read(bootstrap, topic, prefix, "resumed")


main(sys.argv[1], sys.argv[2])
