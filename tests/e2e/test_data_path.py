"""Records do not wake the reader one by one (trap:D1), CPUs do not share a ring (trap:D2), and equal hashes of stacks
cannot hide samples (trap:S5)."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403


def wakeups(pid):
    """Times that threads of the process went to sleep, the engine's among them."""
    total = 0
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/status", encoding="utf-8") as file:
            total += int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)$", file.read(), re.M).group(1))
    return total


def rings(pid):
    """Ring buffers (BPF map type 27) that the process holds open."""
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{fd}", encoding="utf-8") as file:
                text = file.read()
        except FileNotFoundError:  # closed meanwhile
            continue
        if re.search(r"^map_type:\s*27$", text, re.M):
            found.add(re.search(r"^map_id:\s*(\d+)$", text, re.M).group(1))
    return found


def many_records():
    fixture = Fixture("calls", 2, 200000)
    daemon = attach(fixture, "--exact", "work_*", "--domains", "functions", "--ring-size", 16384)
    expect(len(rings(daemon.pid)) >= os.sysconf("SC_NPROCESSORS_ONLN"), f"the daemon has the rings {rings(daemon.pid)}")
    before = wakeups(daemon.pid)
    wanted = fixture.run()
    records = daemon.settled()["records"]
    equal(records["produced"] - records["slow_stacks"], sum(wanted.values()), "records")
    slept = wakeups(daemon.pid) - before
    expect(slept * 20 < records["produced"], f"the daemon woke up {slept} times for {records['produced']} records")
    daemon.stop()
    fixture.finish()


def samples_add_up():
    """Each record of a sample ends in a window: none is lost to a table of stacks."""
    fixture = Fixture("cpusplit")
    daemon = attach(fixture, "--domains", "cpu", "--cpu-hz", 999, "--cpu-window", 60)
    fixture.go()
    wait_until(lambda: daemon.status()["records"]["produced"] > 3000, what="3000 samples")
    fixture.stop()
    records = daemon.settled()["records"]
    equal(records["lost"], 0, "records lost")
    report = wait_until(lambda: (lambda b: b["status"] == "ready" and
                                 b["report"]["total_samples"] >= records["produced"] and b["report"])(
        daemon.get("/functions_cpu?raw=1")), what="a report of all samples")
    equal(report["total_samples"], records["produced"], "samples in the window")
    daemon.stop()
    fixture.finish()


def main():
    many_records()
    samples_add_up()


run(main)
