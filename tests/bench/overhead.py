"""What hotpathd costs redis-server: python3 tests/bench/overhead.py BUILD_DIR [--pairs 15] [--seconds 10].

CPU time of redis-server per command under redis-benchmark -P 16, without and with hotpathd (no flags) in turn; the
daemon is attached and settled before its half of a pair is measured. Printed: the excess in percent at equal speed of the machine, told
by the client (covariate.py), with its 95 % interval; it should be within the budget (3 %) plus or minus one point. First the longest stall: the
longest time in which redis-server made less than half its usual progress, read every 5 ms from the number of commands
it has processed, while the daemon attaches to it under full load, and when an idle, attached server is hit by full
load at once.
"""
import argparse
import os
import shutil
import socket
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("build")
parser.add_argument("--pairs", type=int, default=15)
parser.add_argument("--seconds", type=float, default=10)
options = parser.parse_args()
os.environ["HP_DAEMON"] = os.path.join(options.build, "hotpathd")
os.environ["HP_FIXTURES"] = os.path.join(options.build, "fixtures")
import harness  # noqa: E402
from covariate import excess  # noqa: E402
from harness import Daemon, Process, run, wait_until  # noqa: E402


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def cpu_of(pid):
    """Seconds of CPU time of all threads, to the nanosecond (schedstat of each)."""
    total = 0
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e9


class Redis(Process):
    def __init__(self):
        self.port = free_port()
        super().__init__([shutil.which("redis-server"), "--port", str(self.port), "--save", "", "--dir", harness.temp_dir()])
        self.sock = wait_until(self._connect, what="redis-server")

    def _connect(self):
        try:
            return socket.create_connection(("127.0.0.1", self.port), 1)
        except OSError:
            return None

    def commands(self):
        """Processed so far; this question is one of them."""
        self.sock.sendall(b"INFO stats\r\n")
        data = b""
        while b"total_commands_processed:" not in data or not data.endswith(b"\r\n"):
            data += self.sock.recv(65536)
        return int(data.split(b"total_commands_processed:")[1].split(b"\r\n")[0])

    def cpu(self):
        return cpu_of(self.pid)

    def load(self):
        return Process([shutil.which("redis-benchmark"), "-p", str(self.port), "-P", "16", "-q", "-t", "get,set", "-n",
                        "1000000000"])


def attached(redis):
    daemon = Daemon("--pid", redis.pid)
    daemon.wait_ready()
    time.sleep(3)  # the guard settles
    return daemon


def windows(redis, load, seconds):
    """CPU time per command of the server and of its client, over each half second."""
    pairs = []
    before = (redis.commands(), redis.cpu(), cpu_of(load.pid))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.5)
        now = (redis.commands(), redis.cpu(), cpu_of(load.pid))
        commands, server, client = (b - a for a, b in zip(before, now))
        pairs.append((server / commands, client / commands))
        before = now
    return pairs


def cost():
    redis = Redis()
    load = redis.load()
    time.sleep(2)
    runs = []
    for pair in range(options.pairs):
        for is_with in (True, False) if pair % 2 else (False, True):
            daemon = attached(redis) if is_with else None
            runs.append((is_with, windows(redis, load, options.seconds)))
            if daemon:
                daemon.stop()
        if pair:
            print("  %2d pairs: %+.2f %% (95 %%: %+.2f to %+.2f)" % (pair + 1, *excess(runs)), flush=True)
    for who, name in enumerate(("redis-server", "redis-benchmark")):
        means = {is_with: statistics.mean(window[who] for kind, run_ in runs if kind == is_with for window in run_)
                 for is_with in (True, False)}
        print(f"CPU per command of {name}: {means[False] * 1e6:.3f} us without, {means[True] * 1e6:.3f} us with (the machine's speed in it)")
    print("CPU per command of redis-server at the speed that its client saw: %+.2f %% (95 %%: %+.2f to %+.2f; " % excess(runs) +
          f"{options.pairs} pairs of {options.seconds:.0f} s); budget 3 +- 1")
    load.close()
    load.child.kill()
    redis.close()


def longest_stall(redis, seconds):
    """By the median progress of the window itself."""
    marks = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        marks.append((time.monotonic(), redis.commands()))
        time.sleep(0.005)
    rates = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in zip(marks, marks[1:])]
    usual = statistics.median(rates)
    longest = current = 0.0
    for (a, b), rate in zip(zip(marks, marks[1:]), rates):
        current = current + b[0] - a[0] if rate < usual / 2 else 0.0
        longest = max(longest, current)
    return longest * 1000, usual


def stalls():
    redis = Redis()
    load = redis.load()
    time.sleep(2)
    base, _ = longest_stall(redis, 4)
    daemon = Daemon("--pid", redis.pid)
    attach_ms, usual = longest_stall(redis, 6)
    daemon.stop()
    print(f"longest stall: {base:.0f} ms without hotpathd, {attach_ms:.0f} ms while attaching, at {usual:.0f} commands/s")
    load.child.kill()
    load.close()
    time.sleep(1)
    daemon = Daemon("--pid", redis.pid)
    daemon.wait_ready()
    time.sleep(3)
    load = redis.load()
    wake_ms, usual = longest_stall(redis, 6)
    print(f"longest stall: {wake_ms:.0f} ms when an idle server is hit by full load (start of the load included), at "
          f"{usual:.0f} commands/s")
    daemon.stop()
    load.child.kill()
    load.close()
    redis.close()


def main():
    stalls()
    cost()


run(main)
