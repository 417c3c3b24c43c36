"""What the cells are checked against: `logdyno serve`, or Apache Kafka itself."""
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


@contextmanager
def running(target):
    """The address of a fresh broker with its data in a temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="logdyno-matrix."))
    try:
        with {"logdyno": logdyno, "kafka": kafka}[target](folder) as address:
            yield address
    finally:
        shutil.rmtree(folder)


@contextmanager
def logdyno(folder):
    binary = os.environ.get("LOGDYNO", ROOT / "target/release/logdyno")
    with open(folder / "serve.out", "w") as out, open(folder / "serve.err", "w") as errors:
        server = subprocess.Popen([binary, "serve", "--listen", "127.0.0.1:0", "--data", folder / "data"], stdout=out, stderr=errors)
    try:
        yield listening(folder / "serve.out", lambda: server.poll() is None, folder / "serve.err")
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)
        if os.environ.get("MATRIX_LOG"):
            print((folder / "serve.err").read_text())


@contextmanager
def kafka(folder):
    with open(folder / "start.out", "w") as out:
        subprocess.run([ROOT / "scripts/peers/kafka/start", folder / "kafka"], stdout=out, check=True)
    pids = [int(pid) for pid in (folder / "kafka/pids").read_text().split()]
    try:
        yield listening(folder / "start.out", lambda: True, folder / "kafka/1.out")
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        while any(Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids):
            time.sleep(0.1)


def listening(out, alive, errors):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and alive():
        found = [line.split()[1] for line in out.read_text().splitlines() if line.startswith("listening ")]
        if found:
            return ",".join(found)
        time.sleep(0.1)
    raise SystemExit(f"no broker: {errors.read_text()[-2000:]}")
