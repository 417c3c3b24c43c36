"""How much faster four members of a group are than one, where each record takes its handler a while.

    scripts/long/parallel [--records 8000] [--handler-ms 1] [--rounds 5] [--target logdyno|kafka]

A handler that waits takes no processor: what is measured is whether the broker lets the members work at once, not how fast it is.
"""
import argparse
import statistics
import sys
import threading
import time

from confluent_kafka import Consumer

from . import fleet, targets, wire
from .driver import Failed
from .features import lines

PARTITIONS, TOPIC, RATIO_MIN = 4, "parallel", 3.5


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=8000)
    parser.add_argument("--handler-ms", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--target", choices=("logdyno", "kafka"), default="logdyno")
    options = parser.parse_args()
    (producer,), _ = fleet.drivers(["confluent"])
    with targets.running(options.target) as broker:
        wire.create_topic(broker, TOPIC, PARTITIONS)
        producer.produce(broker, TOPIC, lines(options.records, PARTITIONS))
        ratio = members_share_the_work(broker, options)
    return 0 if ratio >= RATIO_MIN else 1


def members_share_the_work(broker, options):
    """Row 27: four members with a partition each need a quarter of the time that one needs for all four."""
    ratios = []
    for number in range(options.rounds):
        alone = handled(broker, f"alone-{number}", 1, options)
        together = handled(broker, f"together-{number}", PARTITIONS, options)
        ratios.append(alone / together)
        print(f"one member {alone:.2f} s, {PARTITIONS} members {together:.2f} s")
    ratio = statistics.median(ratios)
    print(f"{options.target}: {ratio:.2f} times as fast ({min(ratios):.2f} to {max(ratios):.2f}), at least {RATIO_MIN} is wanted")
    return ratio


def handled(broker, group, count, options):
    """Seconds from when every member has its part until every record is handled."""
    ready, done = threading.Barrier(count + 1, timeout=60), []
    members = [threading.Thread(target=member, args=(broker, group, PARTITIONS // count, ready, done, options)) for _ in range(count)]
    for thread in members:
        thread.start()
    ready.wait()
    began = time.monotonic()
    for thread in members:
        thread.join()
    took = time.monotonic() - began
    if len(set(done)) != options.records:
        raise Failed(f"{len(set(done))} of {options.records} records were handled")
    return took


def member(broker, group, part, ready, done, options):
    consumer = Consumer({"bootstrap.servers": broker, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False})
    consumer.subscribe([TOPIC])
    quota = options.records // PARTITIONS * part
    while len(consumer.assignment()) != part:
        consumer.consume(1, timeout=0.1)
    ready.wait()
    # What came before everybody had its part counts as not handled: those records are fetched anew.
    for partition in consumer.assignment():
        partition.offset = 0
        consumer.seek(partition)
    while quota > 0:
        for record in consumer.consume(100, timeout=1):
            time.sleep(options.handler_ms / 1000)
            done.append((record.partition(), record.offset()))
            quota -= 1
    consumer.close()


if __name__ == "__main__":
    sys.exit(main())
