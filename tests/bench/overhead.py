"""What hotpathd costs redis-server: python3 tests/bench/overhead.py BUILD_DIR [--pairs 15] [--seconds 10].

CPU time of redis-server per command under redis-benchmark -P 16, without and with hotpathd (no flags) in turn; the
daemon is attached and settled before its half of a pair is measured. Printed: mean and 95 % interval of the
ratio's excess in percent, which should be within the budget (3 %) plus or minus one point. Then the longest stall: the
longest time in which redis-server made less than half its usual progress, read every 5 ms from the number of commands
it has processed, while the daemon attaches to it under full load, and when an idle, attached server is hit by full
load at once.
"""
import argparse
import math
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
from harness import Daemon, Process, run, wait_until  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


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
        """Seconds of CPU time of all threads, to the nanosecond (schedstat of each)."""
        total = 0
        for tid in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{tid}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
        return total / 1e9

    def load(self):
        return Process([shutil.which("redis-benchmark"), "-p", str(self.port), "-P", "16", "-q", "-t", "get,set", "-n",
                        "1000000000"])

    def per_command(self, seconds):
        commands, cpu = self.commands(), self.cpu()
        time.sleep(seconds)
        return (self.cpu() - cpu) / (self.commands() - commands)


def attached(redis):
    daemon = Daemon("--pid", redis.pid)
    daemon.wait_ready()
    time.sleep(3)  # the guard settles
    return daemon


def cost():
    redis = Redis()
    load = redis.load()
    time.sleep(2)
    excess = []
    for pair in range(options.pairs):
        halves = {}
        for half in ("with", "without") if pair % 2 else ("without", "with"):
            daemon = attached(redis) if half == "with" else None
            halves[half] = redis.per_command(options.seconds)
            if daemon:
                daemon.stop()
        excess.append((halves["with"] / halves["without"] - 1) * 100)
        print(f"  pair {pair + 1}: {halves['without'] * 1e6:.3f} us a command without, {excess[-1]:+.2f} % with", flush=True)
    mean = statistics.mean(excess)
    half = 2.145 * statistics.stdev(excess) / math.sqrt(len(excess)) if len(excess) > 1 else 0
    print(f"CPU per command: {mean:+.2f} % +- {half:.2f} (95 %, {len(excess)} pairs of {options.seconds:.0f} s); budget 3 +- 1")
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
