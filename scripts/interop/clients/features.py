"""The features: each a check that a client passes or fails, the same for every client."""
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Callable

from . import wire
from .driver import Failed, wait_until
from .records import Record

# API key → the version that must be announced for the feature to be there.
TOPICS = {0: 3, 1: 4, 2: 1, 3: 1, 19: 2, 20: 1}
GROUPS = {**TOPICS, 10: 1, 11: 2, 14: 1, 12: 1, 13: 1, 8: 2, 9: 1}


@dataclass(frozen=True)
class Feature:
    name: str
    needs: dict
    check: Callable
    uses: frozenset = frozenset()
    """What a client must be able to do at all: a client that names one of them in `lacks` has no such cell."""


def lines(count, partitions=1, start=0):
    return [Record(index % partitions, b"key-%d" % index, b"a line that compresses, a line that compresses %d" % index)
            for index in range(start, start + count)]


def contents(records):
    return sorted((record.partition, record.key, record.value) for record in records)


def expect(found, wanted, what):
    if found != wanted:
        raise Failed(f"{what}: expected {str(wanted)[:150]}, found {str(found)[:150]}")


def codecs(client, cell):
    """Rows 56, 57: compressed once, by the client, and so it is on disk and on its way back."""
    for codec in wire.CODECS:
        topic = cell.topic(codec)
        sent = lines(200)
        client.produce(cell.broker, topic, sent, codec)
        expect(contents(client.consume(cell.broker, topic, 1, len(sent))), contents(sent), codec)
        expect(wire.codecs_of(cell.broker, topic), {codec}, "codec of the batches that the broker serves")


def fidelity(client, cell):
    """Row 33."""
    topic, now = cell.topic(), int(time.time() * 1000)
    repeated = (("h", b"1"), ("h", b"2"), ("g", b""), ("h", b"1"))
    sent = [Record(0, None, b"no key", (), now), Record(0, b"", b"empty key", (), now - 1000),
            Record(0, b"empty value", b"", (), now - 2000), Record(0, b"no value", None, (), now - 86_400_000),
            Record(0, b"headers", b"repeated", repeated, now - 5), Record(0, "κλειδί".encode(), bytes(range(256)), (), now),
            Record(0, b"large", b"v" * 500_000, (), now)]
    if "null headers" not in client.lacks:
        sent.append(Record(0, b"header", b"without value", (("n", None), ("", b"no name")), now))
    if "binary" in client.lacks:
        sent = [record for record in sent if record.value != bytes(range(256))]
    if "empty keys" in client.lacks:
        sent = [record for record in sent if record.key != b""]
    placed = client.produce(cell.broker, topic, sent)
    expect([offset for _, offset in placed], list(range(len(sent))), "offsets")
    found = client.consume(cell.broker, topic, 1, len(sent))
    for number, (before, after) in enumerate(zip(sent, found)):
        expect(after.offset, number, "offset")
        for field in ("key", "value", "headers") + (() if "timestamps" in client.lacks else ("timestamp",)):
            expect(getattr(after, field), getattr(before, field), f"{field} of record {number}")


def assign(client, cell):
    """From an offset in the middle of a batch, from a time, and from the beginning of several partitions."""
    topic, now = cell.topic(partitions=3), int(time.time() * 1000)
    sent = [Record(index % 3, None, b"%d" % index, (), now - 60_000 + 1000 * (index // 3)) for index in range(60)]
    client.produce(cell.broker, topic, sent)
    expect(contents(client.consume(cell.broker, topic, 3, 60)), contents(sent), "all")
    late = client.consume(cell.broker, topic, 3, 30, "offset:10")
    expect(contents(late), contents(sent[30:]), "from offset 10")
    if "timestamps" not in client.lacks:
        late = client.consume(cell.broker, topic, 3, 45, f"time:{now - 55_500}")
        expect(contents(late), contents(sent[15:]), "from a time")


def idempotence(client, cell):
    topic = cell.topic(partitions=2)
    sent = lines(500, partitions=2)
    client.produce(cell.broker, topic, sent, "lz4", idempotent=True)
    expect(contents(client.consume(cell.broker, topic, 2, len(sent))), contents(sent), "what came out")


def group(client, cell):
    """Rows 17, 32, 132, 135: a member that comes back goes on where it committed: nothing skipped, nothing twice."""
    topic = cell.topic(partitions=2)
    client.produce(cell.broker, topic, lines(40, partitions=2))
    first = client.member(cell.broker, topic, cell.group, limit=40)
    first.join()
    client.produce(cell.broker, topic, lines(20, partitions=2, start=40))
    second = client.member(cell.broker, topic, cell.group, limit=20)
    second.join()
    expect(sorted(first.read + second.read), sorted((p, o) for p in (0, 1) for o in range(30)), "read in two lives")


def rebalance(client, cell):
    """Rows 21, 22, 87, 94: three members, one is killed, another joins."""
    members_come_and_go([client, client, client], client, cell, "range")


def mixed(assignor):
    """Rows 84, 88: members of different clients share a topic by one assignor, eager or cooperative."""
    def check(clients, cell):
        members_come_and_go(clients, clients[0], cell, assignor)
    return check


def members_come_and_go(clients, newcomer, cell, assignor):
    """Three members share six partitions; the last is killed and the others take over; another joins. Every record is read; one is read
    twice only where a killed member may not have committed it."""
    partitions = 6
    topic, produced = cell.topic(partitions=partitions), 0
    with ExitStack() as cleanup:
        def started(client):
            member = client.member(cell.broker, topic, cell.group, assignor)
            cleanup.callback(member.kill)
            return member

        def settle(living, everyone, what):
            nonlocal produced
            wait_until(lambda: f"{what}: {[sorted(member.owns) for member in living]}", lambda: shared(living, partitions))
            clients[0].produce(cell.broker, topic, lines(60, partitions, produced))
            produced += 60
            wait_until(lambda: f"{what}: {len(read_by(everyone))} of {produced} read", lambda: len(read_by(everyone)) == produced)

        members = [started(client) for client in clients]
        settle(members, members, "three members own two each")
        survivors, victim = members[:2], members[2]
        owned = set(victim.owns)
        victim.kill()
        settle(survivors, members, "two members own all of what three had")
        late = started(newcomer)
        settle([*survivors, late], [*members, late], "a third has joined")
        for member in (*survivors, late):
            member.leave()
        times = Counter(place for member in (*members, late) for place in member.read)
        twice = {partition for (partition, _), count in times.items() if count > 1}
        if not twice <= owned:
            raise Failed(f"records of partitions {sorted(twice - owned)} were read twice though nobody who owned them was killed")


def shared(members, partitions):
    owned = [partition for member in members for partition in member.owns]
    return sorted(owned) == list(range(partitions)) and all(member.owns for member in members)


def read_by(members):
    return {place for member in members for place in list(member.read)}


def topics(client, cell):
    topic = cell.name("admin")
    settings = {"retention.ms": "3600000"}
    created, described, listed, deleted = client.admin(
        cell.broker, {"do": "create_topic", "topic": topic, "partitions": 2, "configs": settings},
        {"do": "describe_topic", "topic": topic}, {"do": "list_topics"}, {"do": "delete_topic", "topic": topic})
    expect(described, {"partitions": 2}, "description")
    expect(topic in listed["topics"], True, "listed")
    wait_until(lambda: "deleted", lambda: topic not in client.admin(cell.broker, {"do": "list_topics"})[0]["topics"], 15)


def grow(client, cell):
    """Row 28."""
    topic = cell.topic(partitions=2)
    client.admin(cell.broker, {"do": "grow", "topic": topic, "partitions": 4})
    wait_until(lambda: "4 partitions",
               lambda: client.admin(cell.broker, {"do": "describe_topic", "topic": topic})[0] == {"partitions": 4}, 15)
    client.produce(cell.broker, topic, lines(8, partitions=4))


def configs(client, cell):
    topic = cell.topic()
    changed = {"retention.ms": "123456", "cleanup.policy": "compact"}
    before, _, after = client.admin(cell.broker, {"do": "configs", "topic": topic},
                                    {"do": "alter_configs", "topic": topic, "configs": changed}, {"do": "configs", "topic": topic})
    expect(before["configs"].get("cleanup.policy"), "delete", "cleanup.policy before")
    expect({name: after["configs"].get(name) for name in changed}, changed, "what was altered")


def delete_records(client, cell):
    """Row 15."""
    topic = cell.topic()
    client.produce(cell.broker, topic, lines(10))
    deleted, = client.admin(cell.broker, {"do": "delete_records", "topic": topic, "partition": 0, "before": 4})
    expect(deleted, {"low": 4}, "the low watermark")
    expect(client.consume(cell.broker, topic, 1, 1)[0].offset, 4, "the first offset")


def offsets(client, cell):
    topic = cell.topic()
    client.produce(cell.broker, topic, lines(10))
    expect(client.admin(cell.broker, {"do": "offsets", "topic": topic, "partition": 0})[0], {"earliest": 0, "latest": 10}, "offsets")


def group_admin(client, cell):
    topic = cell.topic()
    client.produce(cell.broker, topic, lines(10))
    client.member(cell.broker, topic, cell.group, limit=10).join()
    described, listed, committed, _ = client.admin(
        cell.broker, {"do": "describe_group", "group": cell.group}, {"do": "list_groups"},
        {"do": "group_offsets", "group": cell.group}, {"do": "delete_group", "group": cell.group})
    expect(described, {"state": "empty", "members": 0}, "the group")
    expect(cell.group in listed["groups"], True, "listed")
    expect(committed["offsets"], {f"{topic}-0": 10}, "committed")
    left, = client.admin(cell.broker, {"do": "list_groups"})
    expect(cell.group in left["groups"], False, "listed after it was deleted")


ADMIN = frozenset({"admin"})
FEATURES = [
    Feature("5 codecs", TOPICS, codecs),
    Feature("fidelity", TOPICS, fidelity),
    Feature("assign", TOPICS, assign),
    Feature("idempotence", {**TOPICS, 22: 0}, idempotence),
    Feature("group, restart", GROUPS, group),
    Feature("3, kill, join", GROUPS, rebalance),
    Feature("topics", TOPICS, topics, ADMIN),
    Feature("offsets", TOPICS, offsets, ADMIN | {"admin offsets"}),
    Feature("grow", {**TOPICS, 37: 0}, grow, ADMIN),
    Feature("configs", {**TOPICS, 32: 1, 33: 0, 44: 0}, configs, ADMIN),
    Feature("delete records", {**TOPICS, 21: 0}, delete_records, ADMIN | {"admin delete records"}),
    Feature("groups", {**GROUPS, 15: 0, 16: 0, 42: 0}, group_admin, ADMIN | {"admin groups"}),
]
MIXED = [Feature("range", GROUPS, mixed("range")), Feature("cooperative-sticky", GROUPS, mixed("cooperative-sticky"))]
