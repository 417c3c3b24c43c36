"""kafka-python."""
import sys
from contextlib import contextmanager

import kafka
from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic, OffsetSpec
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import CommitFailedError, RebalanceInProgressError

from ..records import Record
from . import verbs

# A header without a value cannot be sent.
lacks = {"null headers"}


def version():
    return f"kafka-python {kafka.__version__}"


def produce(brokers, topic, codec, idempotent, records):
    producer = KafkaProducer(bootstrap_servers=brokers, compression_type=None if codec == "none" else codec,
                             enable_idempotence=idempotent, linger_ms=20, acks="all", max_request_size=2_000_000)
    sent = [producer.send(topic, value=record.value, key=record.key, partition=record.partition,
                          headers=list(record.headers), timestamp_ms=record.timestamp) for record in records]
    producer.flush(30)
    placed = [[at.partition, at.offset] for at in (future.get(30) for future in sent)]
    producer.close()
    return placed


def consumer_of(brokers, **settings):
    return KafkaConsumer(bootstrap_servers=brokers, enable_auto_commit=False, auto_offset_reset="earliest", **settings)


def consume(brokers, topic, partitions, start, count):
    consumer = consumer_of(brokers)
    wanted = [TopicPartition(topic, partition) for partition in range(partitions)]
    consumer.assign(wanted)
    kind, number = verbs.starting_at(start)
    times = consumer.offsets_for_times({at: number for at in wanted}) if kind == "time" else {}
    for at in wanted:
        if kind == "earliest":
            consumer.seek_to_beginning(at)
        else:
            consumer.seek(at, times[at].offset if kind == "time" else number)
    for _ in range(count):
        found = next(consumer)
        yield Record(found.partition, found.key, found.value, tuple(found.headers), found.timestamp, found.offset)
    consumer.close()


def member(brokers, topic, group, assignor, ownership, quota):
    class Listener(ConsumerRebalanceListener):
        def on_partitions_assigned(self, assigned):
            ownership.gained(at.partition for at in assigned)

        def on_partitions_revoked(self, revoked):
            ownership.lost(at.partition for at in revoked)

        def on_partitions_lost(self, lost):
            ownership.lost(at.partition for at in lost)

    assert assignor == "range"
    consumer = consumer_of(brokers, group_id=group, partition_assignment_strategy=[RangePartitionAssignor],
                           session_timeout_ms=6000, heartbeat_interval_ms=500)
    consumer.subscribe([topic], listener=Listener())
    while not quota.is_used_up():
        polled = consumer.poll(timeout_ms=200, max_records=quota.left)
        found = [[at.partition, at.offset] for records in polled.values() for at in records]
        if found:
            try:
                consumer.commit()
            except (CommitFailedError, RebalanceInProgressError):
                continue  # Whoever has the partitions now reads these records again.
            quota.take(found)
    consumer.close()


class Admin:
    def __init__(self, client):
        self.client = client

    def create_topic(self, topic, partitions, configs):
        self.client.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs)])

    def describe_topic(self, topic):
        found, = self.client.describe_topics([topic])
        return {"partitions": len(found["partitions"])}

    def list_topics(self):
        return {"topics": sorted(self.client.list_topics())}

    def delete_topic(self, topic):
        self.client.delete_topics([topic])

    def grow(self, topic, partitions):
        self.client.create_partitions({topic: NewPartitions(partitions)})

    def configs(self, topic):
        found = self.client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")
        return {"configs": {name: entry["value"] if isinstance(entry, dict) else entry
                            for name, entry in found["topic"][topic].items()}}

    def alter_configs(self, topic, configs):
        self.client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=configs)])

    def delete_records(self, topic, partition, before):
        at = TopicPartition(topic, partition)
        return {"low": low_watermark(self.client.delete_records({at: before})[at])}

    def offsets(self, topic, partition):
        at = TopicPartition(topic, partition)
        return {name: self.client.list_partition_offsets({at: spec})[at].offset
                for name, spec in (("earliest", OffsetSpec.EARLIEST), ("latest", OffsetSpec.LATEST))}

    def list_groups(self):
        return {"groups": sorted(group["group_id"] for group in self.client.list_groups())}

    def describe_group(self, group):
        found = self.client.describe_groups([group])[group]
        return {"state": found["group_state"].lower(), "members": len(found["members"])}

    def group_offsets(self, group):
        found = self.client.list_group_offsets({group: None})[group]
        return {"offsets": {f"{at.topic}-{at.partition}": committed.offset for at, committed in found.items()}}

    def delete_group(self, group):
        self.client.delete_groups([group])


def low_watermark(deleted):
    return deleted["low_watermark"] if isinstance(deleted, dict) else deleted


@contextmanager
def admin(brokers):
    client = KafkaAdminClient(bootstrap_servers=brokers)
    yield Admin(client)
    client.close()


if __name__ == "__main__":
    verbs.run(sys.modules[__name__])
