"""A record as the drivers and the checks hand it to each other: one JSON object a line, bytes in base64."""
import base64
import json
from dataclasses import dataclass


def _text(data):
    return None if data is None else base64.b64encode(data).decode()


def _bytes(text):
    return None if text is None else base64.b64decode(text)


@dataclass(frozen=True)
class Record:
    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp: int | None = None
    offset: int | None = None

    def to_json(self):
        headers = [[name, _text(value)] for name, value in self.headers]
        return json.dumps({"partition": self.partition, "key": _text(self.key), "value": _text(self.value),
                           "headers": headers, "timestamp": self.timestamp, "offset": self.offset})

    @staticmethod
    def from_json(line):
        fields = json.loads(line)
        headers = tuple((name, _bytes(value)) for name, value in fields["headers"] or [])
        return Record(fields["partition"], _bytes(fields["key"]), _bytes(fields["value"]), headers,
                      fields.get("timestamp"), fields.get("offset"))
