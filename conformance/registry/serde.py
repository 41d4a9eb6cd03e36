"""Avro and JSON records with the schemas of a registry that speaks Confluent's API.

serde.py write BOOTSTRAP REGISTRY: registers a schema for each topic and writes records with their ids
serde.py read BOOTSTRAP REGISTRY: reads them with a client that knows no schema; prints id and record as lines of JSON
"""

import json
import struct
import sys
import warnings

# Authlib says of the client that it is given that there will be another.
warnings.simplefilter("ignore")

from confluent_kafka import Consumer, Producer, TopicPartition  # noqa: E402
from confluent_kafka.schema_registry import SchemaRegistryClient  # noqa: E402
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer  # noqa: E402
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer  # noqa: E402
from confluent_kafka.serialization import MessageField, SerializationContext  # noqa: E402

COMMAND, BOOTSTRAP, REGISTRY = sys.argv[1:4]
RECORDS = 20
TIMEOUT_S = 60
AVRO = json.dumps({
    "type": "record",
    "name": "Payment",
    "fields": [{"name": "id", "type": "long"}, {"name": "payer", "type": "string"}],
})
JSON = json.dumps({
    "title": "Refund",
    "type": "object",
    "properties": {"id": {"type": "integer"}, "payer": {"type": "string"}},
    "required": ["id"],
})

registry = SchemaRegistryClient({"url": REGISTRY})


def context(topic):
    return SerializationContext(topic, MessageField.VALUE)


def write():
    producer = Producer({"bootstrap.servers": BOOTSTRAP, "enable.idempotence": True})
    serializers = {"payments": AvroSerializer(registry, AVRO), "refunds": JSONSerializer(JSON, registry)}
    for topic, serialize in serializers.items():
        for i in range(RECORDS):
            producer.produce(topic, serialize({"id": i, "payer": f"p{i}"}, context(topic)), partition=0)
    assert producer.flush(TIMEOUT_S) == 0


def read():
    consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": "serde", "enable.auto.commit": False})
    deserializers = {
        "payments": AvroDeserializer(registry),
        "refunds": JSONDeserializer(None, schema_registry_client=registry),
    }
    for topic, deserialize in deserializers.items():
        consumer.assign([TopicPartition(topic, 0, 0)])
        for _ in range(RECORDS):
            message = consumer.poll(TIMEOUT_S)
            assert message is not None and message.error() is None, message
            _, schema_id = struct.unpack(">bI", message.value()[:5])
            print(json.dumps([topic, schema_id, deserialize(message.value(), context(topic))]))
    consumer.close()


{"write": write, "read": read}[COMMAND]()
