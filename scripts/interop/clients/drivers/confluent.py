"""confluent-kafka: librdkafka in Python."""
import sys
from contextlib import contextmanager

import confluent_kafka as ck
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec

from ..records import Record
from . import verbs

lacks = set()


def version():
    return f"confluent-kafka {ck.__version__}, librdkafka {ck.libversion()[0]}"


def produce(brokers, topic, codec, idempotent, records):
    producer = ck.Producer({"bootstrap.servers": brokers, "compression.type": codec, "enable.idempotence": idempotent,
                            "linger.ms": 20, "message.timeout.ms": 20000})
    placed = [None] * len(records)

    def delivered(index):
        def callback(error, message):
            if error:
                raise ck.KafkaException(error)
            placed[index] = [message.partition(), message.offset()]
        return callback

    for index, record in enumerate(records):
        timestamp = {} if record.timestamp is None else {"timestamp": record.timestamp}
        producer.produce(topic, value=record.value, key=record.key, partition=record.partition,
                         headers=list(record.headers), on_delivery=delivered(index), **timestamp)
    producer.flush(30)
    return placed


def consumer_of(brokers, **settings):
    return ck.Consumer({"bootstrap.servers": brokers, "enable.auto.commit": False, "auto.offset.reset": "earliest",
                        "group.id": "unused", **settings})


def consume(brokers, topic, partitions, start, count):
    consumer = consumer_of(brokers)
    kind, number = verbs.starting_at(start)
    offset = {"earliest": ck.OFFSET_BEGINNING}.get(kind, number)
    wanted = [ck.TopicPartition(topic, partition, offset) for partition in range(partitions)]
    consumer.assign(consumer.offsets_for_times(wanted, timeout=20) if kind == "time" else wanted)
    for _ in range(count):
        message = next_message(consumer)
        yield Record(message.partition(), message.key(), message.value(), tuple(message.headers() or ()),
                     message.timestamp()[1], message.offset())
    consumer.close()


def next_message(consumer):
    while True:
        message = consumer.poll(1.0)
        if message is not None and not message.error():
            return message
        if message is not None and message.error().fatal():
            raise ck.KafkaException(message.error())


def member(brokers, topic, group, assignor, ownership, quota):
    consumer = consumer_of(brokers, **{"group.id": group, "partition.assignment.strategy": assignor,
                                       "session.timeout.ms": 6000, "heartbeat.interval.ms": 500})

    def number(partitions):
        return [partition.partition for partition in partitions]

    consumer.subscribe([topic], on_assign=lambda _, partitions: ownership.gained(number(partitions)),
                       on_revoke=lambda _, partitions: ownership.lost(number(partitions)),
                       on_lost=lambda _, partitions: ownership.lost(number(partitions)))
    while not quota.is_used_up():
        messages = [message for message in consumer.consume(quota.left or 100, timeout=0.2) if not message.error()]
        if messages:
            places = [[message.partition(), message.offset()] for message in messages]
            verbs.tell({"polled": places})
            try:
                consumer.commit(asynchronous=False)
            except ck.KafkaException:
                # There is a rebalance: whoever has the partitions then, perhaps this member, reads these records again.
                mine, first = number(consumer.assignment()), {}
                for message in messages:
                    first.setdefault(message.partition(), message.offset())
                for partition in first.keys() & set(mine):
                    consumer.seek(ck.TopicPartition(topic, partition, first[partition]))
                continue
            quota.take(places)
    consumer.close()


class Admin:
    def __init__(self, brokers):
        self.client = AdminClient({"bootstrap.servers": brokers})

    @staticmethod
    def done(futures):
        return [future.result(20) for future in futures.values()][0]

    def create_topic(self, topic, partitions, configs):
        self.done(self.client.create_topics([NewTopic(topic, partitions, 1, config=configs)]))

    def describe_topic(self, topic):
        found = self.client.list_topics(topic, timeout=20).topics[topic]
        if found.error:
            raise ck.KafkaException(found.error)
        return {"partitions": len(found.partitions)}

    def list_topics(self):
        return {"topics": sorted(self.client.list_topics(timeout=20).topics)}

    def delete_topic(self, topic):
        self.done(self.client.delete_topics([topic]))

    def grow(self, topic, partitions):
        self.done(self.client.create_partitions([NewPartitions(topic, partitions)]))

    def configs(self, topic):
        found = self.done(self.client.describe_configs([ConfigResource("topic", topic)]))
        return {"configs": {name: entry.value for name, entry in found.items()}}

    def alter_configs(self, topic, configs):
        entries = [ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in configs.items()]
        self.done(self.client.incremental_alter_configs([ConfigResource("topic", topic, incremental_configs=entries)]))

    def delete_records(self, topic, partition, before):
        deleted = self.done(self.client.delete_records([ck.TopicPartition(topic, partition, before)]))
        return {"low": deleted.low_watermark}

    def offsets(self, topic, partition):
        where = ck.TopicPartition(topic, partition)
        return {name: self.done(self.client.list_offsets({where: spec()})).offset
                for name, spec in (("earliest", OffsetSpec.earliest), ("latest", OffsetSpec.latest))}

    def list_groups(self):
        return {"groups": sorted(group.group_id for group in self.client.list_consumer_groups().result(20).valid)}

    def describe_group(self, group):
        found = self.done(self.client.describe_consumer_groups([group]))
        return {"state": found.state.name.lower(), "members": len(found.members)}

    def group_offsets(self, group):
        found = self.done(self.client.list_consumer_group_offsets([ck.ConsumerGroupTopicPartitions(group)]))
        return {"offsets": {f"{at.topic}-{at.partition}": at.offset for at in found.topic_partitions}}

    def delete_group(self, group):
        self.done(self.client.delete_consumer_groups([group]))


@contextmanager
def admin(brokers):
    yield Admin(brokers)


if __name__ == "__main__":
    verbs.run(sys.modules[__name__])
