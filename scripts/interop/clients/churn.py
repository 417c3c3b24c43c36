"""A group whose members join, leave and are killed at random.

    scripts/long/groups [--actions 200] [--seed 1] [--assignor range|cooperative-sticky] [--target logdyno|kafka]

Members are Java's, librdkafka's and franz-go's. By each member's own clock and callbacks, no two own a partition at once, a killed one owning
until its death; and every record that was produced is read by somebody.
"""
import argparse
import random
import sys
import threading
import time
from contextlib import ExitStack

from . import fleet, targets, wire
from .driver import wait_until
from .features import lines

PARTITIONS, MEMBERS_MAX = 12, 6
TOPIC, GROUP = "churn", "churn"


class Feeder:
    """Produces a few records every second, and knows how many."""

    def __init__(self, client, broker):
        self.client, self.broker, self.produced = client, broker, 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._feed)
        self.thread.start()

    def _feed(self):
        while not self.stopping.wait(1):
            self.client.produce(self.broker, TOPIC, lines(24, PARTITIONS, self.produced))
            self.produced += 24

    def stop(self):
        self.stopping.set()
        self.thread.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--actions", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--assignor", choices=("range", "cooperative-sticky"), default="range")
    parser.add_argument("--target", choices=("logdyno", "kafka"), default="logdyno")
    options = parser.parse_args()
    clients, absent = fleet.drivers(list(fleet.MIXED))
    for name, reason in absent.items():
        print(f"SKIP {name}: {reason}")
    chance, began = random.Random(options.seed), time.monotonic()
    with targets.running(options.target) as broker, ExitStack() as cleanup:
        wire.create_topic(broker, TOPIC, PARTITIONS)
        feeder = Feeder(next(client for client in clients if client.name == "confluent"), broker)
        cleanup.callback(feeder.stop)
        everyone, living, ends, counts = [], [], {}, {"join": 0, "leave": 0, "kill": 0}
        for _ in range(options.actions):
            action = choose(chance, len(living))
            counts[action] += 1
            if action == "join":
                member = chance.choice(clients).member(broker, TOPIC, GROUP, options.assignor)
                cleanup.callback(member.kill)
                everyone.append(member)
                living.append(member)
            else:
                member = living.pop(chance.randrange(len(living)))
                # Who is still starting cannot say goodbye.
                getattr(member, action if member.owned else "kill")()
                ends[member] = time.time_ns()
            time.sleep(chance.uniform(0.2, 3))
        feeder.stop()
        wanted = {(partition, offset) for partition in range(PARTITIONS) for offset in range(feeder.produced // PARTITIONS)}
        if not living:
            living.append(clients[0].member(broker, TOPIC, GROUP, options.assignor))
            cleanup.callback(living[0].kill)
            everyone.append(living[0])
        wait_until(lambda: f"{len(read(everyone))} of {len(wanted)} records read", lambda: read(everyone) == wanted, 120)
        for member in living:
            member.leave()
            ends[member] = time.time_ns()
        overlaps = overlapping(everyone, ends)
    said = ", ".join(f"{count} {action}s" for action, count in counts.items())
    print(f"{options.target}, {options.assignor}, seed {options.seed}: {said}; {len(wanted)} records, each read; {changes(everyone)} changes of ownership, "
          f"{len(overlaps)} overlaps; {time.monotonic() - began:.0f} s")
    for overlap in overlaps[:10]:
        print("RED ", overlap)
    return 1 if overlaps else 0


def choose(chance, living):
    """Mostly joins while there are few, mostly ends while there are many."""
    if living <= 1 or (living < MEMBERS_MAX and chance.random() < 0.5):
        return "join"
    return "kill" if chance.random() < 0.4 else "leave"


def read(members):
    """A commit may outlive the member that made it, so what counts is what came to a member and not what it told of its commits."""
    return {place for member in members for place in member.polled.copy()}


def changes(members):
    return sum(len(member.owned) for member in members)


def overlapping(members, ends):
    """Row 30: two members that own a partition at once: who, and for how long."""
    intervals = {partition: [] for partition in range(PARTITIONS)}
    for number, member in enumerate(members):
        for index, (since, owned) in enumerate(member.owned):
            until = member.owned[index + 1][0] if index + 1 < len(member.owned) else ends[member]
            for partition in owned:
                intervals[partition].append((since, until, f"{member.driver.name} #{number}"))
    found = []
    for partition, owners in intervals.items():
        owners.sort()
        last_until, last = 0, None
        for since, until, owner in owners:
            if since < last_until and owner != last:
                found.append(f"partition {partition}: {last} and {owner}, {(last_until - since) / 1e6:.1f} ms")
            if until > last_until:
                last_until, last = until, owner
    return found


sys.exit(main())
