"""A client's driver as a process, and a member of a group that is one."""
import json
import os
import signal
import subprocess
import threading
import time

from .records import Record

CALL_SECONDS = 60


class Failed(Exception):
    """A cell is red, and this is why."""


class Driver:
    """A client: its verbs (drivers/verbs.py), each a process of its own."""

    def __init__(self, name, command, environment=None):
        self.name, self.command = name, command
        self.environment = {**os.environ, **(environment or {})}
        described = json.loads(self._run(["describe"]))
        self.version, self.lacks = described["version"], set(described["lacks"])

    def produce(self, broker, topic, records, codec="none", idempotent=False):
        lines = "".join(record.to_json() + "\n" for record in records)
        placed = self._run(["produce", broker, topic, codec, str(idempotent).lower()], lines)
        offsets = [tuple(json.loads(line)) for line in placed.splitlines()]
        if len(offsets) != len(records):
            raise Failed(f"{len(records)} records were produced, {len(offsets)} acknowledged")
        return offsets

    def consume(self, broker, topic, partitions, count, start="earliest"):
        found = self._run(["consume", broker, topic, str(partitions), start, str(count)])
        return [Record.from_json(line) for line in found.splitlines()]

    def admin(self, broker, *calls):
        """The answers to calls, each a dict with its name under `do`. A call that fails fails the cell."""
        answers = self._run(["admin", broker], "".join(json.dumps(call) + "\n" for call in calls)).splitlines()
        if len(answers) != len(calls):
            raise Failed(f"{len(calls)} admin calls, {len(answers)} answers")
        answers = [json.loads(line) for line in answers]
        for call, answer in zip(calls, answers):
            if "error" in answer:
                raise Failed(f"{call['do']}: {answer['error']}")
        return answers

    def member(self, broker, topic, group, assignor="range", limit=0):
        return Member(self, ["member", broker, topic, group, assignor, str(limit)])

    def start(self, arguments, **options):
        return subprocess.Popen([*self.command, *arguments], text=True, env=self.environment, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, **options)

    def _run(self, arguments, given=""):
        process = self.start(arguments, stdin=subprocess.PIPE)
        try:
            out, errors = process.communicate(given, timeout=CALL_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            out, errors = process.communicate()
            raise Failed(f"{arguments[0]} did not end in {CALL_SECONDS} s: {last_line(errors)}") from None
        if process.returncode != 0:
            raise Failed(f"{arguments[0]} ended with {process.returncode}: {last_line(errors)}")
        return out


class Member:
    """A group member: what it owns now, and what it has read and committed."""

    def __init__(self, driver, arguments):
        self.driver = driver
        self.process = driver.start(arguments)
        self.owns, self.read, self.errors = set(), [], []
        self.polled = set()
        """What came to it, whether or not it lived to commit it."""
        self.owned = []
        """What it owned from when on, by its own clock: (nanoseconds, partitions)."""
        self.changed = threading.Condition()
        self.listeners = [threading.Thread(target=self._listen, daemon=True),
                          threading.Thread(target=lambda: self.errors.extend(self.process.stderr), daemon=True)]
        for listener in self.listeners:
            listener.start()

    def _listen(self):
        for line in self.process.stdout:
            event = json.loads(line)
            with self.changed:
                if "owns" in event:
                    self.owns = set(event["owns"])
                    self.owned.append((event["at_ns"], self.owns))
                self.polled.update(tuple(place) for place in event.get("polled", []))
                self.read += [tuple(place) for place in event.get("records", [])]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self._ended()

    def leave(self):
        self.process.send_signal(signal.SIGTERM)
        self.join()

    def join(self):
        """Waits until the member has left by itself."""
        try:
            self.process.wait(CALL_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"{self.driver.name}'s member did not end; it had read {len(self.read)}: {last_line(self.errors)}") from None
        self._ended()
        if self.process.returncode != 0:
            raise Failed(f"{self.driver.name}'s member ended with {self.process.returncode}: {last_line(self.errors)}")

    def _ended(self):
        self.process.wait()
        for listener in self.listeners:
            listener.join()


def last_line(errors):
    lines = [line.strip() for line in (errors.splitlines() if isinstance(errors, str) else errors) if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


def wait_until(what, condition, seconds=45):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"after {seconds} s still not: {what()}")
        time.sleep(0.05)
