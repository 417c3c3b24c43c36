"""The verbs of a driver, for the clients that Python can drive.

    describe                                          what the client is and cannot do: {"version", "lacks"}
    produce BROKERS TOPIC CODEC IDEMPOTENT            records on stdin; on stdout `[partition, offset]` for each, in order
    consume BROKERS TOPIC PARTITIONS START COUNT      by assign; START is `earliest`, `offset:N` or `time:MS`; records on stdout
    member  BROKERS TOPIC GROUP ASSIGNOR MAX          by group until MAX records (0: until SIGTERM), each commit told after it is made:
                                                      {"owns": [partitions], "at_ns": when} and {"records": [[partition, offset]]};
                                                      the kinds that churn kills tell {"polled": …} too, before the commit
    admin   BROKERS                                   one call a line on stdin, one answer a line on stdout
"""
import json
import signal
import sys
import threading
import time

from ..records import Record

stopping = threading.Event()


class Ownership:
    """Tells on stdout which partitions a member owns, as they come and go."""

    def __init__(self):
        self.partitions = set()

    def gained(self, partitions):
        self.partitions |= set(partitions)
        self._tell()

    def lost(self, partitions):
        self.partitions -= set(partitions)
        self._tell()

    def _tell(self):
        tell({"owns": sorted(self.partitions), "at_ns": time.time_ns()})


class Quota:
    """How many records a member still takes."""

    def __init__(self, limit):
        self.left = limit or None

    def take(self, records):
        if self.left is not None:
            self.left -= len(records)
        tell({"records": records})

    def is_used_up(self):
        return stopping.is_set() or (self.left is not None and self.left <= 0)


def tell(answer):
    """One write for a line: members tell from several threads."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def run(client):
    """`client` has a method for each verb but admin, and one for each admin call."""
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    verb, arguments = sys.argv[1], sys.argv[2:]
    if verb == "describe":
        tell({"version": client.version(), "lacks": sorted(client.lacks)})
    elif verb == "produce":
        brokers, topic, codec, idempotent = arguments
        records = [Record.from_json(line) for line in sys.stdin]
        for placed in client.produce(brokers, topic, codec, idempotent == "true", records):
            tell(placed)
    elif verb == "consume":
        brokers, topic, partitions, start, count = arguments
        for record in client.consume(brokers, topic, int(partitions), start, int(count)):
            print(record.to_json(), flush=True)
    elif verb == "member":
        brokers, topic, group, assignor, limit = arguments
        client.member(brokers, topic, group, assignor, Ownership(), Quota(int(limit)))
    elif verb == "admin":
        with client.admin(*arguments) as admin:
            for line in sys.stdin:
                tell(answer(admin, json.loads(line)))
    else:
        sys.exit(__doc__)


def answer(admin, call):
    method = getattr(admin, call.pop("do"))
    try:
        return method(**call) or {}
    except Exception as error:  # The caller judges; a client's exceptions have no common ancestor.
        return {"error": f"{type(error).__name__}: {error}"}


def starting_at(start):
    """`earliest`, or a pair of what is meant (`offset`, `time`) and its number."""
    kind, _, number = start.partition(":")
    return kind, int(number or 0)
