"""The few requests that the checks send themselves, so that no client is the judge of another: classic versions, by hand."""
import socket
import struct

PRODUCE, FETCH, CREATE_TOPICS, API_VERSIONS = 0, 1, 19, 18
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def _text(text):
    return struct.pack(">h", len(text)) + text.encode()


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, layout):
        values = struct.unpack_from(">" + layout, self.data, self.at)
        self.at += struct.calcsize(">" + layout)
        return values[0] if len(values) == 1 else values

    def bytes(self, count):
        self.at += max(count, 0)
        return self.data[self.at - max(count, 0):self.at]

    def text(self):
        return self.bytes(self.take("h")).decode()


def ask(address, api, version, body):
    host, port = address.split(",")[0].rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        request = struct.pack(">hhi", api, version, 1) + _text("matrix") + body
        connection.sendall(struct.pack(">i", len(request)) + request)
        length = struct.unpack(">i", _exactly(connection, 4))[0]
        return Reader(_exactly(connection, length)[4:])


def _exactly(connection, count):
    received = b""
    while len(received) < count:
        more = connection.recv(count - len(received))
        if not more:
            raise ConnectionError(f"the broker closed the connection after {len(received)} of {count} bytes")
        received += more
    return received


def announced(address):
    """API key → highest version."""
    answer = ask(address, API_VERSIONS, 0, b"")
    if answer.take("h") != 0:
        raise ConnectionError("ApiVersions 0 was refused")
    entries = [answer.take("hhh") for _ in range(answer.take("i"))]
    return {api: last for api, _, last in entries}


def create_topic(address, topic, partitions):
    """Version 2; a broker that is not the controller passes it on."""
    body = struct.pack(">i", 1) + _text(topic) + struct.pack(">ihiii?", partitions, 1, 0, 0, 20000, False)
    answer = ask(address, CREATE_TOPICS, 2, body)
    answer.take("ii")
    answer.text()
    error = answer.take("h")
    if error != 0:
        raise ConnectionError(f"CreateTopics {topic} was refused with error {error}")


def codecs_of(address, topic):
    """The codecs of the batches of partition 0 that hold more than one record: clients send single ones as they please."""
    body = struct.pack(">iiiib", -1, 100, 1, 1 << 24, 0) + struct.pack(">i", 1) + _text(topic) + struct.pack(">iiqi", 1, 0, 0, 1 << 24)
    answer = ask(address, FETCH, 4, body)
    answer.take("ii")
    answer.text()
    answer.take("i")
    _, error = answer.take("ih")
    answer.take("qq")
    for _ in range(max(answer.take("i"), 0)):
        answer.take("qq")
    if error != 0:
        raise ConnectionError(f"Fetch {topic} was refused with error {error}")
    batches, found = answer.bytes(answer.take("i")), set()
    while len(batches) >= 61:
        length = struct.unpack_from(">i", batches, 8)[0]
        attributes, = struct.unpack_from(">h", batches, 21)
        count, = struct.unpack_from(">i", batches, 57)
        if count > 1:
            found.add(CODECS[attributes & 7])
        batches = batches[12 + length:]
    return found
