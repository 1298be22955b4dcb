"""What CPU sampling costs a program: python3 tests/bench/sampling.py BUILD_DIR [--rounds 150] [--hz 9999] [--frames 20].

A program without frame pointers burns on a CPU of its own, in 20 frames. The perf events of hotpathd, and those of a bpftrace whose
program is empty, are taken over (pidfd_getfd) and switched on in turn for a tenth of a second each, between tenths without: so the
speed of the machine, which changes every few seconds, is the same for all three. Printed: how much longer the program takes for the
same work, median and spread of rounds, and the ratio of the two; it must be at most 1.5. And the time of our
program by the kernel's own statistics (they cost time themselves, so apart): at most 5 us, goal 2.
"""
import argparse
import ctypes
import fcntl
import json
import mmap
import os
import statistics
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("build")
parser.add_argument("--rounds", type=int, default=150)
parser.add_argument("--hz", type=int, default=9999)
parser.add_argument("--frames", type=int, default=20)
options = parser.parse_args()
os.environ["HP_DAEMON"] = os.path.join(options.build, "hotpathd")
os.environ["HP_FIXTURES"] = os.path.join(options.build, "fixtures")
import harness  # noqa: E402
from harness import Daemon, Process, run, wait_until  # noqa: E402

ENABLE, DISABLE = 0x2400, 0x2401  # PERF_EVENT_IOC_...
SYS_PIDFD_OPEN, SYS_PIDFD_GETFD = 434, 438
SLICE = 0.1
libc = ctypes.CDLL(None, use_errno=True)


class Events:
    """The perf events of another process; off."""

    def __init__(self, pid):
        pidfd = libc.syscall(SYS_PIDFD_OPEN, pid, 0)
        names = {fd: os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
        self.fds = [libc.syscall(SYS_PIDFD_GETFD, pidfd, int(fd), 0) for fd, name in names.items() if "perf_event" in name]
        os.close(pidfd)
        if not self.fds or min(self.fds) < 0:
            raise AssertionError(f"no perf events of process {pid} to be had")
        self.switch(DISABLE)

    def switch(self, how):
        for fd in self.fds:
            fcntl.ioctl(fd, how, 0)


class Burner(Process):
    def __init__(self):
        path = os.path.join(harness.temp_dir(), "rounds")
        super().__init__(["taskset", "-c", str(os.cpu_count() - 1), os.path.join(options.build, "tests", "bench", "bench_deep"),
                          str(options.frames), path])
        wait_until(lambda: os.path.exists(path) and os.path.getsize(path) == 8, what="the program's counter")
        with open(path, "rb") as file:
            self.memory = mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ)

    def rounds(self):
        return struct.unpack("Q", self.memory[:8])[0]

    def rate(self):
        start, before = time.monotonic(), self.rounds()
        time.sleep(SLICE)
        return (self.rounds() - before) / (time.monotonic() - start)


def spread(values):
    quarter = statistics.quantiles(values, n=4)
    return f"{statistics.median(values) * 100:.2f} % (quartiles {quarter[0] * 100:.2f} ... {quarter[2] * 100:.2f})"


def slow_down(burner, events):
    """Each slice with events between two without."""
    excess = {name: [] for name in events}
    for _ in range(options.rounds):
        for name, these in events.items():
            before = burner.rate()
            these.switch(ENABLE)
            rate = burner.rate()
            these.switch(DISABLE)
            excess[name].append((before + burner.rate()) / 2 / rate - 1)
    return excess


def program_time(daemon, events):
    """Nanoseconds of a sample of the program; those of other threads end at once."""
    def read():
        programs = json.loads(subprocess.check_output(["bpftool", "-j", "prog", "show", "name", "hp_cpu_sample"]))
        program = programs if isinstance(programs, dict) else programs[-1]
        return program.get("run_time_ns", 0), program.get("run_cnt", 0), daemon.status()["records"]["produced"]
    with open("/proc/sys/kernel/bpf_stats_enabled", "w", encoding="ascii") as file:
        file.write("1")
    events.switch(ENABLE)
    before = read()
    time.sleep(3)
    spent, runs, records = (b - a for a, b in zip(before, read()))
    events.switch(DISABLE)
    with open("/proc/sys/kernel/bpf_stats_enabled", "w", encoding="ascii") as file:
        file.write("0")
    return (spent - 100 * (runs - records)) / records


def main():
    os.sched_setaffinity(0, {0})
    burner = Burner()
    daemon = Daemon("--pid", burner.pid, "--domains", "cpu", "--cpu-hz", options.hz)
    daemon.wait_ready()
    tracer = Process(["bpftrace", "-e", f"profile:hz:{options.hz} {{ }}"])
    wait_until(lambda: any("perf_event" in os.readlink(f"/proc/{tracer.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{tracer.pid}/fd")),
               what="bpftrace")
    time.sleep(2)  # tables of the program
    events = {"hotpathd": Events(daemon.pid), "an empty program": Events(tracer.pid)}
    excess = slow_down(burner, events)
    for name, values in excess.items():
        print(f"  slow-down by {name} at {options.hz} Hz, {options.frames} frames: {spread(values)}")
    ours, empty = (statistics.median(values) for values in excess.values())
    print(f"  ratio {ours / empty:.2f} of the slow-downs, {(1 + ours) / (1 + empty):.3f} of the times; budget 1.5")
    print(f"  {program_time(daemon, events['hotpathd']) / 1000:.2f} us a sample in our program; budget 5, goal 2")
    tracer.child.terminate()
    tracer.close()
    daemon.stop()
    burner.child.kill()
    burner.close()


run(main)
