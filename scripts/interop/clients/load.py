"""Minutes of load on `logdyno serve`: no growth in memory, descriptors and threads.

    scripts/long/load [--minutes 10] [--rate 2000] [--backend buffered] [--seed 1]

Producers come and go, members join and leave groups, topics are made and deleted, and retention deletes segments, while the broker's resident
memory, descriptors, threads and processor time are sampled every ten seconds. Before and after the load the broker is idle for half a minute.
Prints the series, and a verdict on each: after a warm-up of a fifth, growth by Theil–Sen's slope and by first and last third. Exit 1 if
anything grows, if idling costs more than 1 % of a core or 50 MB, or if a record that was acknowledged was not read.
"""
import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import confluent_kafka as ck
from confluent_kafka.admin import AdminClient, NewTopic

from . import targets
from .growth import growth

PARTITIONS, GROUPS, MEMBERS, RECORD_BYTES = 6, 4, 8, 1024
SAMPLE_SECONDS, IDLE_SECONDS = 10, 30
IDLE_PERCENT_MAX, IDLE_MB_MAX = 1.0, 50.0
TICKS = os.sysconf("SC_CLK_TCK")
# What may be added over the whole series: pools that still fill, and what one topic or connection more holds at a moment.
ALLOWED = {"rss_mb": 4.0, "anonymous_mb": 4.0, "descriptors": 20, "threads": 2}
CONFIG = """log.segment.bytes=8388608
log.retention.bytes=33554432
log.retention.check.interval.ms=2000
log.segment.delete.delay.ms=1000
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
"""


class Process:
    """What the kernel says of the broker."""

    def __init__(self, pid):
        self.folder = Path(f"/proc/{pid}")

    def sample(self):
        status = dict(line.split(":", 1) for line in (self.folder / "status").read_text().splitlines())
        megabytes = lambda field: int(status[field].split()[0]) * 1024 / 1e6
        return {"rss_mb": megabytes("VmRSS"), "anonymous_mb": megabytes("RssAnon"), "threads": int(status["Threads"]),
                "descriptors": len(list((self.folder / "fd").iterdir())), "cpu_s": self.cpu_seconds()}

    def cpu_seconds(self):
        fields = (self.folder / "stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def idle(self):
        """Percent of a core over half a minute without a client, and what it holds at its end."""
        before = self.cpu_seconds()
        time.sleep(IDLE_SECONDS)
        return 100 * (self.cpu_seconds() - before) / IDLE_SECONDS, self.sample()["rss_mb"]


class Load:
    """Everything that bothers the broker, each in a thread of its own, until it is told to stop."""

    def __init__(self, broker, rate, seed):
        self.broker, self.rate, self.chance = broker, rate, random.Random(seed)
        self.stopping, self.counting, self.polling = threading.Event(), threading.Lock(), threading.Lock()
        self.counts = {"produced": 0, "read": 0, "joins": 0, "leaves": 0, "topics": 0, "producers": 0}
        self.errors = []
        self.acknowledged, self.seen = [-1] * PARTITIONS, [-1] * PARTITIONS
        self.threads = [threading.Thread(target=self._guarded, args=(work,)) for work in (self._produce, self._members, self._topics)]

    def start(self):
        admin = AdminClient({"bootstrap.servers": self.broker})
        wait(admin.create_topics([NewTopic("load", PARTITIONS, 1)]))
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def _guarded(self, work):
        try:
            work()
        except Exception as error:  # Told in the verdict: a thread's own traceback would be lost among the samples.
            self.errors.append(f"{work.__name__.strip('_')}: {error}")

    def _count(self, what, number=1):
        with self.counting:
            self.counts[what] += number

    def _produce(self):
        """A producer for half a minute, then another: idempotent, all codecs in turn."""
        codecs = ["none", "gzip", "snappy", "lz4", "zstd"]
        while not self.stopping.is_set():
            codec = codecs[self.counts["producers"] % len(codecs)]
            producer = ck.Producer({"bootstrap.servers": self.broker, "compression.type": codec, "enable.idempotence": True, "linger.ms": 5})
            self._count("producers")
            value, ends = self.chance.randbytes(RECORD_BYTES), time.monotonic() + 30
            while time.monotonic() < ends and not self.stopping.is_set():
                for index in range(self.rate // 10):
                    producer.produce("load", value, partition=index % PARTITIONS, on_delivery=self._delivered)
                producer.poll(0)
                self.stopping.wait(0.1)
            if producer.flush(60):
                self.errors.append("a producer could not flush in a minute")

    def _delivered(self, error, message):
        if error:
            self.errors.append(f"a record was refused: {error}")
            return
        self.acknowledged[message.partition()] = max(self.acknowledged[message.partition()], message.offset())
        self._count("produced")

    def _members(self):
        """Eight members of a few groups; every few seconds one leaves or another one joins. The first group's only member stays."""
        living = [(group, self._join(group)) for group in (0, *(1 + index % (GROUPS - 1) for index in range(MEMBERS - 1)))]
        polling = threading.Thread(target=lambda: self._poll(living))
        polling.start()
        while not self.stopping.wait(self.chance.uniform(2, 5)):
            if len(living) >= MEMBERS:
                self._leave(living.pop(self.chance.randrange(1, len(living))))
            else:
                group = self.chance.randrange(1, GROUPS)
                living.append((group, self._join(group)))
        polling.join()
        for member in living:
            self._leave(member)

    def _join(self, group):
        consumer = ck.Consumer({"bootstrap.servers": self.broker, "group.id": f"load-{group}", "auto.offset.reset": "earliest",
                                "session.timeout.ms": 6000, "enable.auto.commit": True, "auto.commit.interval.ms": 1000,
                                "partition.assignment.strategy": "cooperative-sticky"})
        consumer.subscribe(["load"])
        self._count("joins")
        return consumer

    def _leave(self, member):
        with self.polling:
            member[1].close()
        self._count("leaves")

    def _poll(self, living):
        """Reads for all of them; after the end until the member that stays has read all that was acknowledged."""
        deadline = None
        while True:
            if self.stopping.is_set():
                deadline = deadline or time.monotonic() + 60
                if not self.threads[0].is_alive() and (self.missing() == 0 or time.monotonic() > deadline):
                    return
            for group, consumer in list(living):
                try:
                    with self.polling:
                        messages = consumer.consume(500, 0.01)
                except RuntimeError:
                    continue  # It has left since.
                for message in messages:
                    if not message.error() and group == 0:
                        self.seen[message.partition()] = max(self.seen[message.partition()], message.offset())
                self._count("read", len(messages))

    def missing(self):
        """Records acknowledged behind what the member that stays has read."""
        return sum(max(0, last - seen) for last, seen in zip(self.acknowledged, self.seen))

    def _topics(self):
        admin, number = AdminClient({"bootstrap.servers": self.broker}), 0
        while not self.stopping.wait(self.chance.uniform(1, 3)):
            name = f"short-lived-{number}"
            wait(admin.create_topics([NewTopic(name, 3, 1)]))
            wait(admin.delete_topics([name]))
            number += 1
            self._count("topics")


def wait(futures):
    for future in futures.values():
        future.result(30)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=int, default=2000, help="records of 1 KiB in a second")
    parser.add_argument("--backend", default="buffered")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="logdyno-load."))
    (folder / "server.properties").write_text(CONFIG)
    binary = os.environ.get("LOGDYNO", targets.ROOT / "target/release/logdyno")
    command = [binary, "serve", "--listen", "127.0.0.1:0", "--backend", options.backend, "--data", folder / "data", "--config", folder / "server.properties"]
    with open(folder / "out", "w") as out, open(folder / "err", "w") as errors:
        server = subprocess.Popen(command, stdout=out, stderr=errors)
    try:
        broker = targets.listening(folder / "out", lambda: server.poll() is None, folder / "err")
        return run(options, broker, Process(server.pid))
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)
        said = [line for line in (folder / "err").read_text().splitlines() if " ERROR " in line or "panicked" in line]
        print(f"{len(said)} errors in the broker's log", *said[:5], sep="\n")
        shutil.rmtree(folder)


def run(options, broker, process):
    idle_before = process.idle()
    load, series = Load(broker, options.rate, options.seed), []
    load.start()
    print("| s | RSS MB | anonymous MB | descriptors | threads | CPU s | produced | read | joins | leaves | topics | producers |")
    print("|" + "---:|" * 12)
    began = time.monotonic()
    while time.monotonic() - began < options.minutes * 60:
        time.sleep(SAMPLE_SECONDS)
        sample = process.sample()
        series.append(sample)
        counts = " | ".join(str(count) for count in load.counts.values())
        print(f"| {time.monotonic() - began:.0f} | {sample['rss_mb']:.1f} | {sample['anonymous_mb']:.1f} | {sample['descriptors']} | "
              f"{sample['threads']} | {sample['cpu_s']:.1f} | {counts} |", flush=True)
    load.stop()
    time.sleep(5)
    return verdict(options, load, series, idle_before, process.idle())


def verdict(options, load, series, idle_before, idle_after):
    steady, red = series[len(series) // 5:], 0
    print("\n| series | median of the first third | of the last | Theil–Sen over the series | allowed | verdict |\n|---|---:|---:|---:|---:|---|")
    for name, allowed in ALLOWED.items():
        found = growth([sample[name] for sample in steady], allowed)
        red += found.grows
        print(f"| {name} | {found.first:.1f} | {found.last:.1f} | {found.over_series:+.2f} | {allowed} | {'GROWS' if found.grows else 'no growth'} |")
    print()
    for when, (percent, megabytes) in (("before the load", idle_before), ("after it", idle_after)):
        # What the load has filled (pools, producers' states) may stay; it is the fresh broker that has to be small.
        bad = percent >= IDLE_PERCENT_MAX or (when == "before the load" and megabytes >= IDLE_MB_MAX)
        red += bad
        print(f"idle {when}: {percent:.2f} % of a core, {megabytes:.1f} MB{'  TOO MUCH' if bad else ''}")
    print(f"{load.counts['produced']} records acknowledged, {load.missing()} of them not read by the member that stayed")
    for error in load.errors[:10]:
        print("RED ", error)
    return 1 if red or load.missing() or load.errors else 0


if __name__ == "__main__":
    sys.exit(main())
