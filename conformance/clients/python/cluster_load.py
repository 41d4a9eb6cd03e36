"""Produces and consumes in groups with confluent-kafka (librdkafka) while brokers come and go.

cluster_load.py BOOTSTRAP TOPIC PER_SECOND [RACK]: a producer, and a group of one member with each protocol, in RACK. Prints
`acked PARTITION OFFSET VALUE`, `read-PROTOCOL PARTITION OFFSET VALUE`, and `followed PROTOCOL` when a member reads from a
replica that does not lead; on SIGTERM it makes no more, waits until all is acknowledged and read, commits, and prints `done`.

cluster_load.py BOOTSTRAP TOPIC member: another member of the group with group.protocol=consumer, until it is killed.
"""

import json
import signal
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaException, Producer

bootstrap, topic, task = sys.argv[1:4]
rack = sys.argv[4] if len(sys.argv) > 4 else ""
stopping, finished = threading.Event(), threading.Event()
printing = threading.Lock()
# Partition to the offset after the last acknowledged record.
acked = {}


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


def produce(per_second):
    producer = Producer({
        "bootstrap.servers": bootstrap,
        "enable.idempotence": True,
        "acks": "all",
        "linger.ms": 5,
        "message.timeout.ms": 600000,
        "socket.timeout.ms": 3000,
        "reconnect.backoff.max.ms": 500,
        "topic.metadata.refresh.interval.ms": 2000,
    })
    count = 0
    while not stopping.is_set():
        producer.produce(topic, key=str(count), value=f"librdkafka-{count}".encode(), on_delivery=delivered)
        producer.poll(0)
        count += 1
        time.sleep(1 / per_second)
    if producer.flush(180) != 0:
        say("failed", "records left after flush")


def tell_followers(protocol, statistics):
    for each in json.loads(statistics)["topics"].get(topic, {"partitions": {}})["partitions"].values():
        if each["partition"] >= 0 and each["fetch_state"] == "active" and 0 <= each["leader"] != each["broker"] >= 0:
            say("followed", protocol)
            break


def consumer(protocol):
    # After a heartbeat that timed out librdkafka does not ask again what it is to have (its request is not a full one). If the
    # lost answer told it to give partitions up, it goes on with them until the coordinator puts it out after this time.
    timeouts = {
        "classic": {"session.timeout.ms": 6000, "heartbeat.interval.ms": 500},
        "consumer": {"max.poll.interval.ms": 60000},
    }
    made = Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": f"{topic}-{protocol}",
        "group.protocol": protocol,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "reconnect.backoff.max.ms": 500,
        "client.rack": rack,
        "statistics.interval.ms": 1000 if rack else 0,
        "stats_cb": lambda statistics: tell_followers(protocol, statistics),
        **timeouts[protocol],
    })
    made.subscribe([topic])
    return made


def commit(member):
    try:
        member.commit(asynchronous=False)
    except KafkaException as error:
        say("commit", error)


def consume(protocol):
    member = consumer(protocol)
    # Partition to the offset after the last record that was read.
    read = {}
    deadline = None
    while True:
        message = member.poll(0.1)
        if message is not None and not message.error():
            partition, offset = message.partition(), message.offset()
            read[partition] = max(read.get(partition, 0), offset + 1)
            say(f"read-{protocol}", partition, offset, message.value().decode())
            if offset % 50 == 0:
                commit(member)
        if not finished.is_set():
            continue
        deadline = deadline or time.time() + 180
        if all(read.get(partition, 0) >= end for partition, end in acked.items()):
            break
        if time.time() > deadline:
            say("failed", f"not all was read: {read} of {acked}")
            break
    commit(member)
    member.close()


if task == "member":
    consume("consumer")
else:
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    members = [threading.Thread(target=consume, args=(protocol,)) for protocol in ("classic", "consumer")]
    for each in members:
        each.start()
    produce(float(task))
    finished.set()
    for each in members:
        each.join()
    say("done")
