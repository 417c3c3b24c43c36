"""kcat: its command line behind the same verbs. One run of kcat sends what shares key and headers."""
import ctypes
import itertools
import json
import re
import signal
import subprocess
import sys
import threading

from ..records import Record
from . import verbs

# Timestamps, header values that are null and empty keys cannot be said on its command line; its lines are text.
lacks = {"timestamps", "null headers", "binary", "empty keys", "admin"}


def version():
    found = subprocess.run(["kcat", "-V"], capture_output=True, text=True, check=True).stdout
    return "kcat {}, librdkafka {}".format(*re.search(r"Version (\S+) .*librdkafka (\S+)", found).groups())


KEY_ENDS, RECORD_ENDS = "\x02", "\x01"


def produce(brokers, topic, codec, idempotent, records):
    """kcat tells no offsets: they follow from the partition's end, as nobody else produces to the topic."""
    for run in runs_of(records):
        partition, has_key, headers, is_null = shape(run[0])
        settings = ["-P", "-t", topic, "-p", str(partition), "-z", codec, "-X", f"enable.idempotence={str(idempotent).lower()}",
                    "-X", "message.timeout.ms=20000", "-X", "linger.ms=50", "-D", RECORD_ENDS, *(["-K", KEY_ENDS] if has_key else []),
                    *(["-Z"] if is_null else []), *(f"-H{name}={value.decode()}" for name, value in headers)]
        given = b"".join(line(record) for record in run)
        subprocess.run(["kcat", "-b", brokers, *settings], input=given, check=True)
    next_offset = {}
    for partition in {record.partition for record in records}:
        asked = subprocess.run(["kcat", "-b", brokers, "-Q", "-t", f"{topic}:{partition}:-1"], capture_output=True, text=True, check=True)
        produced = sum(record.partition == partition for record in records)
        next_offset[partition] = int(re.search(r"offset (\d+)", asked.stdout)[1]) - produced
    for record in records:
        yield [record.partition, next_offset[record.partition]]
        next_offset[record.partition] += 1


def line(record):
    key = b"" if record.key is None else record.key + KEY_ENDS.encode()
    return key + (record.value or b"") + RECORD_ENDS.encode()


def shape(record):
    """What one command line says for all its records: with -Z those without a value have a null one."""
    return record.partition, record.key is not None, record.headers, record.value is None


def runs_of(records):
    """Records that one command line can send, in the order of each partition."""
    in_order = sorted(records, key=lambda record: record.partition)
    return [list(run) for _, run in itertools.groupby(in_order, shape)]


def consume(brokers, topic, partitions, start, count):
    kind, number = verbs.starting_at(start)
    where = {"earliest": "beginning", "offset": str(number), "time": f"s@{number}"}[kind]
    found = []
    for partition in range(partitions):
        run = subprocess.run(["kcat", "-b", brokers, "-C", "-t", topic, "-p", str(partition), "-o", where, "-e", "-q", "-J"],
                             capture_output=True, check=True)
        found += [parsed(line) for line in run.stdout.splitlines()]
    return found[:count]


def parsed(line):
    fields = json.loads(line)
    headers = fields.get("headers") or []
    data = lambda text: None if text is None else text.encode()
    return Record(fields["partition"], data(fields["key"]), data(fields["payload"]),
                  tuple((name, data(value)) for name, value in zip(headers[::2], headers[1::2])), fields["ts"], fields["offset"])


def dies_with_its_parent():
    parent_death_signal = 1
    ctypes.CDLL(None).prctl(parent_death_signal, signal.SIGKILL)


def member(brokers, topic, group, assignor, ownership, quota):
    command = ["kcat", "-b", brokers, "-G", group, "-f", "%p %o\n", "-u", *(["-c", str(quota.left)] if quota.left else []),
               "-X", f"partition.assignment.strategy={assignor}", "-X", "session.timeout.ms=6000", "-X", "heartbeat.interval.ms=500",
               "-X", "auto.commit.interval.ms=100", "-X", "auto.offset.reset=earliest", topic]
    kcat = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=dies_with_its_parent)
    rebalances = threading.Thread(target=follow, args=(kcat.stderr, ownership))
    rebalances.start()
    reading = threading.Thread(target=lambda: [quota.take([[int(n) for n in line.split()]]) for line in kcat.stdout])
    reading.start()
    while kcat.poll() is None and not verbs.stopping.wait(0.05):
        pass
    if kcat.poll() is None:
        kcat.terminate()
    reading.join()
    rebalances.join()
    if kcat.wait() != 0:
        raise SystemExit(f"kcat ended with {kcat.returncode}")


def follow(lines, ownership):
    for line in lines:
        sys.stderr.write(line)
        partitions = [int(number) for number in re.findall(r"\[(\d+)\]", line)]
        if ": assigned:" in line:
            ownership.gained(partitions)
        elif ": revoked:" in line:
            ownership.lost(partitions)


if __name__ == "__main__":
    verbs.run(sys.modules[__name__])
