"""Kafka's own command line tools, each with its defaults wherever it does not have to be told."""
import json
import re
import subprocess
import tempfile
from functools import cache

from . import fleet
from .driver import Failed, last_line
from .features import GROUPS, TOPICS, Feature, expect

TOOL_SECONDS = 90
JVM = ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", f"-Dlog4j2.configurationFile={fleet.HERE / 'java/log4j2.xml'}"]
# The producers are idempotent by default.
IDEMPOTENT = {**TOPICS, 22: 0}
CONFIGS = {**TOPICS, 32: 1, 44: 0}


@cache
def classpath():
    return fleet.classpath()


def command(name, *arguments):
    package = "" if name.startswith("kafka.") else "org.apache.kafka.tools."
    return ["java", *JVM, "-cp", classpath(), package + name, *map(str, arguments)]


def tool(name, *arguments):
    """What the tool says; its exit code must be 0."""
    try:
        run = subprocess.run(command(name, *arguments), capture_output=True, text=True, timeout=TOOL_SECONDS)
    except subprocess.TimeoutExpired:
        raise Failed(f"{name} did not end in {TOOL_SECONDS} s") from None
    if run.returncode != 0:
        raise Failed(f"{name} {' '.join(map(str, arguments))} ended with {run.returncode}: {last_line(run.stderr or run.stdout)}")
    return run.stdout


def contains(text, pattern, what):
    found = re.search(pattern, text)
    if not found:
        raise Failed(f"{what}: {last_line(text)}")
    return found


def topic_command(_, cell):
    at = ["--bootstrap-server", cell.broker]
    topic = cell.name("topic")
    tool("TopicCommand", *at, "--create", "--topic", topic, "--partitions", 2, "--config", "retention.ms=3600000")
    described = tool("TopicCommand", *at, "--describe", "--topic", topic)
    contains(described, r"PartitionCount: 2\s+ReplicationFactor: 1\s+Configs: .*retention.ms=3600000", "described")
    contains(tool("TopicCommand", *at, "--list"), re.escape(topic), "listed")
    tool("TopicCommand", *at, "--alter", "--topic", topic, "--partitions", 3)
    contains(tool("TopicCommand", *at, "--describe", "--topic", topic), "PartitionCount: 3", "grown")
    tool("TopicCommand", *at, "--delete", "--topic", topic)


def config_command(_, cell):
    at = ["--bootstrap-server", cell.broker, "--entity-type", "topics", "--entity-name", cell.topic()]
    tool("kafka.admin.ConfigCommand", *at, "--alter", "--add-config", "retention.ms=123456,max.message.bytes=2000000")
    found = tool("kafka.admin.ConfigCommand", *at, "--describe")
    contains(found, r"retention.ms=123456 ", "added")
    tool("kafka.admin.ConfigCommand", *at, "--alter", "--delete-config", "retention.ms")
    found = tool("kafka.admin.ConfigCommand", *at, "--describe")
    expect(("retention.ms" in found, "max.message.bytes=2000000" in found), (False, True), "after one was deleted")
    contains(tool("kafka.admin.ConfigCommand", *at, "--describe", "--all"), r"segment.bytes=1073741824 ", "defaults")


def get_offset_shell(_, cell):
    topic = filled(cell, 10)
    at = ["--bootstrap-server", cell.broker, "--topic", topic]
    expect(tool("GetOffsetShell", *at).split(), [f"{topic}:0:10"], "latest")
    expect(tool("GetOffsetShell", *at, "--time", "earliest").split(), [f"{topic}:0:0"], "earliest")
    expect(tool("GetOffsetShell", *at, "--time", "max-timestamp").split(), [f"{topic}:0:9"], "max-timestamp")


def delete_records(_, cell):
    topic = filled(cell, 10)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as wanted:
        json.dump({"version": 1, "partitions": [{"topic": topic, "partition": 0, "offset": 3}]}, wanted)
        wanted.flush()
        deleted = tool("DeleteRecordsCommand", "--bootstrap-server", cell.broker, "--offset-json-file", wanted.name)
    contains(deleted, r"low_watermark: 3", "deleted")


def filled(cell, count):
    """A topic with records, the last of which is the youngest: it is produced after the others are there."""
    topic = cell.topic()
    for given in ("a line\n" * (count - 1), "the last line\n"):
        subprocess.run(["kcat", "-b", cell.broker, "-P", "-t", topic, "-p", "0"], input=given, text=True, check=True)
    return topic


def producer_performance(_, cell):
    report = tool("ProducerPerformance", "--topic", cell.topic(), "--num-records", 20000, "--record-size", 200, "--throughput", -1,
                  "--producer-props", f"bootstrap.servers={cell.broker}")
    contains(report, r"20000 records sent, [1-9]", "report")


def consumer_performance(_, cell):
    """By group, and it counts what it got."""
    topic = cell.topic()
    tool("ProducerPerformance", "--topic", topic, "--num-records", 20000, "--record-size", 200, "--throughput", -1,
         "--producer-props", f"bootstrap.servers={cell.broker}", "enable.idempotence=false")
    report = tool("ConsumerPerformance", "--bootstrap-server", cell.broker, "--topic", topic, "--messages", 20000).splitlines()
    expect(report[-1].split(", ")[4], "20000", "records consumed")


def end_to_end(_, cell):
    report = tool("EndToEndLatency", cell.broker, cell.topic(), 500, "all", 100)
    contains(report, r"Avg latency: [\d.]+ ms", "report")


def verifiable_producer(_, cell):
    said = tool("VerifiableProducer", "--bootstrap-server", cell.broker, "--topic", cell.topic(), "--max-messages", 500)
    summary = json.loads(contains(said, r'.*"name":"tool_data".*', "no summary")[0])
    expect((summary["sent"], summary["acked"]), (500, 500), "sent and acknowledged")


def verifiable_consumer(_, cell):
    """It commits, verifies its own commits, and stops when it is asked to."""
    topic = cell.topic()
    tool("VerifiableProducer", "--bootstrap-server", cell.broker, "--topic", topic, "--max-messages", 300)
    said = tool("VerifiableConsumer", "--bootstrap-server", cell.broker, "--topic", topic, "--group-id", cell.group, "--max-messages", 300,
                "--reset-policy", "earliest")
    events = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    consumed = sum(event["count"] for event in events if event["name"] == "records_consumed")
    committed = [at["offset"] for event in events if event["name"] == "offsets_committed" for at in event["offsets"] if event["success"]]
    expect((consumed, max(committed, default=None)), (300, 300), "consumed and committed")


def group_command(_, cell):
    topic = filled(cell, 10)
    consumed = tool("ConsumerPerformance", "--bootstrap-server", cell.broker, "--topic", topic, "--messages", 10, "--group", cell.group)
    expect(consumed.splitlines()[-1].split(", ")[4], "10", "records consumed")
    at = ["--bootstrap-server", cell.broker]
    name = "consumer.group.ConsumerGroupCommand"
    contains(tool(name, *at, "--list"), re.escape(cell.group), "listed")
    contains(tool(name, *at, "--describe", "--group", cell.group), rf"{re.escape(topic)}\s+0\s+10\s+10\s+0", "described")
    reset = ["--reset-offsets", "--to-offset", 4, "--topic", topic, "--execute"]
    tool(name, *at, "--group", cell.group, *reset)
    contains(tool(name, *at, "--describe", "--group", cell.group), rf"{re.escape(topic)}\s+0\s+4\s+10\s+6", "after the reset")
    tool(name, *at, "--delete-offsets", "--group", cell.group, "--topic", topic)
    tool(name, *at, "--delete", "--group", cell.group)


GROUP_ADMIN = {**GROUPS, 15: 0, 16: 0, 42: 0, 47: 0}
TOOLS = [
    Feature("TopicCommand", {**CONFIGS, 37: 0}, topic_command),
    Feature("ConfigCommand", CONFIGS, config_command),
    Feature("GetOffsetShell", TOPICS, get_offset_shell),
    Feature("DeleteRecords", {**TOPICS, 21: 0}, delete_records),
    Feature("ProducerPerf", IDEMPOTENT, producer_performance),
    Feature("ConsumerPerf", GROUPS, consumer_performance),
    Feature("EndToEnd", {**IDEMPOTENT, **GROUPS}, end_to_end),
    Feature("Verif.Producer", TOPICS, verifiable_producer),
    Feature("Verif.Consumer", GROUPS, verifiable_consumer),
    Feature("GroupCommand", GROUP_ADMIN, group_command),
]
