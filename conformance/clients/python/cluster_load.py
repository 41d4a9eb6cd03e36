"""Produces and consumes in a group with confluent-kafka (librdkafka) while brokers come and go.

cluster_load.py BOOTSTRAP TOPIC PER_SECOND: prints `acked PARTITION OFFSET VALUE` and `read PARTITION OFFSET VALUE`; on
SIGTERM it makes no more, waits until all is acknowledged and read, commits, and prints `done`.
"""

import signal
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaException, Producer

bootstrap, topic, per_second = sys.argv[1], sys.argv[2], float(sys.argv[3])
stopping = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopping.set())
printing = threading.Lock()
# Partition to the offset after the last acknowledged record, and after the last one that was read.
acked, read = {}, {}


def say(*words):
    with printing:
        print(*words, flush=True)


def delivered(error, message):
    if error:
        say("failed", error)
        return
    partition, offset = message.partition(), message.offset()
    acked[partition] = max(acked.get(partition, 0), offset + 1)
    say("acked", partition, offset, message.value().decode())


def produce():
    producer = Producer({
        "bootstrap.servers": bootstrap,
        "enable.idempotence": True,
        "acks": "all",
        "linger.ms": 5,
        "socket.timeout.ms": 5000,
        "reconnect.backoff.max.ms": 500,
        "topic.metadata.refresh.interval.ms": 2000,
    })
    count = 0
    while not stopping.is_set():
        producer.produce(topic, value=f"librdkafka-{count}".encode(), on_delivery=delivered)
        producer.poll(0)
        count += 1
        time.sleep(1 / per_second)
    if producer.flush(60) != 0:
        say("failed", "records left after flush")


def consume(finished):
    consumer = Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": topic + "-group",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 500,
        "reconnect.backoff.max.ms": 500,
    })
    consumer.subscribe([topic])
    deadline = None
    while True:
        message = consumer.poll(0.1)
        if message is not None and not message.error():
            partition, offset = message.partition(), message.offset()
            read[partition] = max(read.get(partition, 0), offset + 1)
            say("read", partition, offset, message.value().decode())
            if offset % 50 == 0:
                try:
                    consumer.commit(asynchronous=False)
                except KafkaException as error:
                    say("commit", error)
        if not finished.is_set():
            continue
        deadline = deadline or time.time() + 60
        if all(read.get(partition, 0) >= end for partition, end in acked.items()):
            break
        if time.time() > deadline:
            say("failed", "not all was read")
            break
    consumer.commit(asynchronous=False)
    consumer.close()


finished = threading.Event()
consumer = threading.Thread(target=consume, args=(finished,))
consumer.start()
produce()
finished.set()
consumer.join()
say("done")
