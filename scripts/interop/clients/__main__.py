"""Runs the cells against a broker and prints the table. Exit 1 if a cell is red.

    python -m clients [--target logdyno|kafka] [--client NAME]... [--feature NAME]... [--no-tools]
"""
import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from . import fleet, targets, tools, wire
from .driver import Failed
from .features import FEATURES, MIXED

# Most of a cell is waiting (for sessions to expire, for a JVM to start), also where there are two cores.
CELLS_AT_ONCE = 4


@dataclass
class Cell:
    """Where a check works: the broker, and names that no other cell uses."""
    broker: str
    unique: str

    @property
    def group(self):
        return self.name("group")

    def name(self, suffix):
        return f"{self.unique}.{suffix}"

    def topic(self, suffix="topic", partitions=1):
        wire.create_topic(self.broker, self.name(suffix), partitions)
        return self.name(suffix)


def main():
    options = arguments()
    started = time.monotonic()
    clients, absent = fleet.drivers(options.client)
    for driver in clients:
        print(f"{driver.name:14} {driver.version}")
    for name, reason in absent.items():
        print(f"SKIP {name}: {reason}")
    with targets.running(options.target) as broker:
        announced = wire.announced(broker)
        rows = {driver.name: [(feature, driver) for feature in FEATURES] for driver in clients}
        trio = [driver for driver in clients if driver.name in fleet.MIXED]
        if len(trio) == len(fleet.MIXED):
            rows["+".join(fleet.MIXED)] = [(feature, trio) for feature in MIXED]
        if options.tools:
            rows["Kafka's tools"] = [(feature, None) for feature in tools.TOOLS]
        wanted = {name: [(feature, who) for feature, who in cells if not options.feature or feature.name in options.feature]
                  for name, cells in rows.items()}
        with ThreadPoolExecutor(CELLS_AT_ONCE) as pool:
            running = {(name, feature.name): pool.submit(judge, feature, who, Cell(broker, f"{name}.{feature.name}".translate(PLAIN)), announced)
                       for name, cells in wanted.items() for feature, who in cells}
        verdicts = {key: cell.result() for key, cell in running.items()}
    table({name: [(feature.name, verdicts[name, feature.name]) for feature, _ in cells] for name, cells in wanted.items()})
    red = [(*key, reason) for key, (state, reason, _) in verdicts.items() if state == "RED"]
    for name, feature, reason in red:
        print(f"RED  {name}, {feature}: {reason}")
    counts = {state: sum(verdict[0] == state for verdict in verdicts.values()) for state in ("ok", "RED", "not yet", "-")}
    print(f"{options.target}: " + ", ".join(f"{count} {state}" for state, count in counts.items()) + f"; {time.monotonic() - started:.0f} s")
    return 1 if red or not counts["ok"] else 0


# Names of clients and features as parts of topic names.
PLAIN = str.maketrans({" ": "-", ",": "", "'": "", "+": "-", "/": "-"})


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", choices=("logdyno", "kafka"), default="logdyno")
    parser.add_argument("--client", action="append", choices=fleet.NAMES, help="only these clients")
    parser.add_argument("--feature", action="append", help="only these columns")
    parser.add_argument("--no-tools", dest="tools", action="store_false", help="without Kafka's command line tools")
    return parser.parse_args()


def judge(feature, who, cell, announced):
    """The state of a cell, why, and how long it took."""
    if who is not None and not isinstance(who, list) and feature.uses & who.lacks:
        return "-", "the client cannot", 0
    missing = [api for api, version in feature.needs.items() if announced.get(api, -1) < version]
    if missing:
        return "not yet", f"APIs {missing} are not announced", 0
    started = time.monotonic()
    try:
        feature.check(who, cell)
        return "ok", "", time.monotonic() - started
    except Failed as failed:
        return "RED", str(failed), time.monotonic() - started
    except Exception as error:  # A check that breaks is a red cell, not the end of the others.
        return "RED", f"{type(error).__name__}: {error}", time.monotonic() - started


def table(rows):
    """Rows with the same columns stand under one heading."""
    heading = None
    for name, cells in rows.items():
        columns = [feature for feature, _ in cells]
        if columns != heading:
            heading = columns
            print("\n" + " " * 22 + "".join(f"{column:>{width(column)}}" for column in columns))
        states = [f"{state} {seconds:.0f}s" if state in ("ok", "RED") else state for _, (state, _, seconds) in cells]
        print(f"{name:22}" + "".join(f"{state:>{width(column)}}" for column, state in zip(columns, states)))
    print()


def width(column):
    return max(len(column), len("not yet")) + 2


sys.exit(main())
