"""The clients that can run on this machine."""
import shutil
import subprocess
import sys
from pathlib import Path

from .driver import Driver

HERE = Path(__file__).resolve().parents[1]
ROOT = HERE.parents[1]
BUILD = ROOT / "target/interop"
# Who shares a group with whom: the three families of clients.
MIXED = ("java", "confluent", "franz-go")


class Absent(Exception):
    """A client that cannot run here, and why."""


def python(module):
    def command():
        return [sys.executable, "-m", f"clients.drivers.{module}"]
    return command


def kcat():
    if not shutil.which("kcat"):
        raise Absent("kcat is not installed: apt-get install kcat")
    return python("kcat")()


def classpath():
    return subprocess.run([ROOT / "scripts/peers/kafka/jars"], capture_output=True, text=True, check=True).stdout.strip()


def java():
    if not shutil.which("javac"):
        raise Absent("there is no Java compiler: apt-get install openjdk-17-jdk-headless")
    BUILD.mkdir(parents=True, exist_ok=True)
    subprocess.run(["javac", "-nowarn", "-cp", classpath(), "-d", BUILD, HERE / "java/Driver.java"], check=True)
    return ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", f"-Dlog4j2.configurationFile={HERE / 'java/log4j2.xml'}",
            "-cp", f"{BUILD}:{classpath()}", "Driver"]


def franz():
    if not shutil.which("go"):
        raise Absent("there is no Go here (franz-go needs 1.24 or newer)")
    BUILD.mkdir(parents=True, exist_ok=True)
    binary = BUILD / "franz"
    built = subprocess.run(["go", "build", "-o", binary, "."], cwd=HERE / "franz", capture_output=True, text=True)
    if built.returncode != 0:
        raise Absent(f"the Go here does not build it (franz-go needs 1.24 or newer): {built.stderr.strip()[-200:]}")
    return [binary]


COMMANDS = {"kcat": kcat, "confluent": python("confluent"), "kafka-python": python("kafka_python"), "aiokafka": python("aiokafka"),
            "java": java, "franz-go": franz}
NAMES = tuple(COMMANDS)


def drivers(wanted):
    """Those that run here, and why others do not."""
    found, absent = [], {}
    for name, command in COMMANDS.items():
        if wanted and name not in wanted:
            continue
        try:
            found.append(Driver(name, command(), {"PYTHONPATH": str(HERE)}))
        except Absent as reason:
            absent[name] = str(reason)
    return found, absent
