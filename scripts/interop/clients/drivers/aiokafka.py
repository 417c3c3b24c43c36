"""aiokafka."""
import asyncio
import sys
from contextlib import contextmanager

import aiokafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import CommitFailedError, for_code

from ..records import Record
from . import verbs

# Its admin client deletes no groups and lists no offsets.
lacks = {"null headers", "admin groups", "admin offsets"}


def version():
    return f"aiokafka {aiokafka.__version__}"


def produce(brokers, topic, codec, idempotent, records):
    return asyncio.run(_produce(brokers, topic, codec, idempotent, records))


async def _produce(brokers, topic, codec, idempotent, records):
    async with AIOKafkaProducer(bootstrap_servers=brokers, compression_type=None if codec == "none" else codec,
                                enable_idempotence=idempotent, linger_ms=20, acks="all", max_request_size=2_000_000) as producer:
        sent = [await producer.send(topic, value=record.value, key=record.key, partition=record.partition,
                                    headers=list(record.headers), timestamp_ms=record.timestamp) for record in records]
        return [[at.partition, at.offset] for at in await asyncio.gather(*sent)]


def consumer_of(brokers, **settings):
    return AIOKafkaConsumer(bootstrap_servers=brokers, enable_auto_commit=False, auto_offset_reset="earliest", **settings)


def consume(brokers, topic, partitions, start, count):
    return asyncio.run(_consume(brokers, topic, partitions, start, count))


async def _consume(brokers, topic, partitions, start, count):
    wanted = [TopicPartition(topic, partition) for partition in range(partitions)]
    kind, number = verbs.starting_at(start)
    async with consumer_of(brokers) as consumer:
        consumer.assign(wanted)
        times = await consumer.offsets_for_times({at: number for at in wanted}) if kind == "time" else {}
        for at in wanted:
            if kind == "earliest":
                await consumer.seek_to_beginning(at)
            else:
                consumer.seek(at, times[at].offset if kind == "time" else number)
        found = [await consumer.getone() for _ in range(count)]
    return [Record(at.partition, at.key, at.value, tuple(at.headers), at.timestamp, at.offset) for at in found]


def member(brokers, topic, group, assignor, ownership, quota):
    assert assignor == "range"
    asyncio.run(_member(brokers, topic, group, ownership, quota))


async def _member(brokers, topic, group, ownership, quota):
    class Listener(ConsumerRebalanceListener):
        def on_partitions_assigned(self, assigned):
            ownership.gained(at.partition for at in assigned)

        def on_partitions_revoked(self, revoked):
            ownership.lost(at.partition for at in revoked)

    async with consumer_of(brokers, group_id=group, partition_assignment_strategy=[RangePartitionAssignor],
                           session_timeout_ms=6000, heartbeat_interval_ms=500) as consumer:
        consumer.subscribe([topic], listener=Listener())
        while not quota.is_used_up():
            polled = await consumer.getmany(timeout_ms=200, max_records=quota.left)
            found = [[at.partition, at.offset] for records in polled.values() for at in records]
            if found:
                try:
                    await consumer.commit()
                except CommitFailedError:
                    continue  # Whoever has the partitions now reads these records again.
                quota.take(found)


class Admin:
    def __init__(self, loop, client):
        self.loop, self.client = loop, client

    def done(self, call):
        return self.loop.run_until_complete(call)

    def create_topic(self, topic, partitions, configs):
        for _, code, *_ in self.done(self.client.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs)])).topic_errors:
            refuse(code)

    def describe_topic(self, topic):
        found, = self.done(self.client.describe_topics([topic]))
        return {"partitions": len(found["partitions"])}

    def list_topics(self):
        return {"topics": sorted(self.done(self.client.list_topics()))}

    def delete_topic(self, topic):
        for _, code, *_ in self.done(self.client.delete_topics([topic])).topic_error_codes:
            refuse(code)

    def grow(self, topic, partitions):
        for _, code, *_ in self.done(self.client.create_partitions({topic: NewPartitions(partitions)})).topic_errors:
            refuse(code)

    def configs(self, topic):
        answers = self.done(self.client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)]))
        code, _, _, _, entries = answers[0].resources[0]
        refuse(code)
        return {"configs": {name: value for name, value, *_ in entries}}

    def alter_configs(self, topic, configs):
        answers = self.done(self.client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=configs)]))
        refuse(answers[0].resources[0][0])

    def delete_records(self, topic, partition, before):
        at = TopicPartition(topic, partition)
        return {"low": self.done(self.client.delete_records({at: RecordsToDelete(before)}))[at]}


def refuse(code):
    if code != 0:
        raise for_code(code)


@contextmanager
def admin(brokers):
    loop = asyncio.new_event_loop()

    async def started():
        client = AIOKafkaAdminClient(bootstrap_servers=brokers)
        await client.start()
        return client

    client = loop.run_until_complete(started())
    yield Admin(loop, client)
    loop.run_until_complete(client.close())


if __name__ == "__main__":
    verbs.run(sys.modules[__name__])
