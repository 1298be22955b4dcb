"""Runs in the guest: does everything that hotpathd does work on this kernel? The kernel's arguments say how functions must be
attached here (hp_attach=refused, perf, multi or session), so that a feature is not just believed to be missing.
"""
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "harness"))
from harness import *  # noqa: E402,F403

TICK_NS = 10000000  # kernels with HZ=100 or more
PATIENCE = 20.0  # seconds: an emulated machine stops for moments, and all of its CPUs share one of the host's
STOOD_STILL = 1.0  # seconds without a turn for a thread that wants one ten times a second: no figure of time means anything then
TRIES = 3
OF_TIME = ("times", "cpu samples")  # steps that compare times or shares of it
FEATURES = {"perf": (False, False), "multi": (True, False), "session": (True, True)}


def kernel_argument(name):
    with open("/proc/cmdline", encoding="utf-8") as file:
        for word in file.read().split():
            key, _, value = word.partition("=")
            if key == name:
                return value
    return None


def refused():
    code, _, stderr = run_daemon("--pid", "1")
    equal(code, 3, f"exit status on a kernel that is too old; stderr: {stderr}")
    expect("5.15" in stderr and os.uname().release in stderr, f"no clear refusal: {stderr}")


def features(attach_kind):
    code, lines, stderr = run_daemon("--features")
    equal(code, 0, f"exit status of --features: {stderr}")
    found = {line[:36].strip(): line[36:].strip() == "yes" for line in lines}
    equal((found["uprobe_multi links"], found["uprobe sessions"]), FEATURES[attach_kind], "multi links and sessions")
    expect(found["uprobes by perf event (fallback)"], f"no uprobe PMU: {found}")


def counts(threads, rounds, may_miss):
    """To the call, with several threads on each CPU (trap:U17). @may_miss: where a thread is preempted that makes its task storage, older
    kernels give no other thread on that CPU a new one (a busy counter, kernel commit bc235cdb423a); without sessions
    such calls stay untimed, which must be told to the call."""
    fixture = Fixture("calls", threads, rounds)
    daemon = attach(fixture, "--exact", "work_*", "--domains", "functions", "--ring-size", 16384)
    expect(changed_text(fixture.pid), "no breakpoint in the target")
    wanted = fixture.run()
    status = daemon.settled()
    entries = daemon.functions()
    losses, calls = status["losses"], {name: entries[name]["calls"] for name in wanted}
    equal({name: int(entries[name].get("entries", calls[name])) for name in wanted}, wanted, f"entries with {threads} threads, {losses}")
    missing = losses["shadow_stack_missing"]
    if may_miss:
        equal(sum(calls.values()) + missing, sum(wanted.values()), f"calls, and those that got no shadow stack, in {calls}, {losses}")
        print(f"smoke: {missing} of {sum(wanted.values())} calls got no shadow stack")
    else:
        equal((calls, missing), (wanted, 0), f"calls with {threads} threads, and those that got no shadow stack, {losses}")
    equal(status["records"]["produced"] - status["records"]["slow_stacks"], sum(calls.values()), "records of calls")
    outer, inner = entries["work_outer"], entries["work_inner"]
    expect(outer["total_ns"] > inner["total_ns"] > 0, f"time of work_outer {outer['total_ns']}, of what it calls {inner['total_ns']}")
    daemon.stop()
    check_clean(fixture.pid)
    fixture.finish()


def times():
    fixture = Fixture("durations", 1, 500)
    daemon = attach(fixture, "--exact", "spin_100us", "--domains", "functions")
    wanted = fixture.run()
    daemon.settled()
    entry = daemon.functions()["spin_100us"]
    equal(entry["calls"], wanted["calls"], "calls of spin_100us")
    # Prices that are measured on an emulated machine, and taken out of durations, are rough: the order of magnitude only.
    within(entry["total_ns"] / wanted["total_ns"], 0.5, 20, "total duration against the fixture's")
    equal(entry["avg_ns"], entry["total_ns"] // entry["calls"], "avg = total / calls")
    daemon.stop()
    fixture.finish()


def exceptions():
    """Probes on exits: exceptions pass, nothing is harmed."""
    fixture = Fixture("cxx_static", 300)
    daemon = attach(fixture, "--exact", "shop::*", "--domains", "functions")
    counted = fixture.run()
    equal(counted["wrong"], 0, "wrong results under exceptions")
    equal(counted["destroyed"], 2 * counted["rounds"], "destructors that ran")
    daemon.settled()
    status, entries = daemon.status(), daemon.functions()
    calls = sum(entry["calls"] for name, entry in entries.items() if name.startswith("shop::detail::check"))
    seen = {name: (entry["calls"], entry.get("entries"), entry.get("untimed")) for name, entry in entries.items()}
    equal(calls, counted["check"] - counted["caught"], f"finished calls of shop::detail::check in {seen}; "
          f"{status['probes']}, {status['losses']}, skipped: {daemon.get('/functions_timing').get('skipped')}")
    daemon.stop()
    check_clean(fixture.pid)
    fixture.finish()


def killed():
    """The kernel takes the probes away when the daemon is killed, in the midst of calls."""
    fixture = Fixture("calls", 2, 0)
    daemon = attach(fixture, "--exact", "work_*", "--domains", "functions")
    fixture.go()
    wait_until(lambda: daemon.functions().get("work_a", {"calls": 0})["calls"] > 100, what="calls")
    daemon.send_signal(signal.SIGKILL)
    daemon.wait()
    check_session_empty(daemon)
    check_clean(fixture.pid)
    fixture.stop()
    fixture.finish()


def many(attach_kind):
    """More functions than a kernel with perf events takes: it says so."""
    fixture = Fixture("manyfuncs")
    daemon = Daemon("--pid", fixture.pid, "--domains", "functions")
    probes = daemon.wait_ready(120)["probes"]
    expect(probes["planned"] > 20000, f"planned: {probes}")
    equal(probes["attached"] + probes["skipped"] + probes["dropped"], probes["planned"], f"functions in {probes}")
    if attach_kind == "perf":
        within(probes["attached"], 20, 200, "functions attached by perf events")
        reasons = daemon.get("/functions_timing")["skipped"]
        few = [count for reason, count in reasons.items() if "uprobe_multi" in reason]
        expect(few and few[0] > 19000, f"reasons: {reasons}")
    else:
        expect(probes["attached"] > 19900, f"attached: {probes}")
    daemon.send_signal(signal.SIGINT)
    equal(daemon.wait(120), 0, "exit status")
    check_clean(fixture.pid)
    fixture.child.stdin.close()


def cpu_samples():
    fixture = Fixture("cpusplit")
    daemon = attach(fixture, "--domains", "cpu", "--cpu-hz", 99, "--cpu-window", 10)
    fixture.go()
    report = wait_until(lambda: (lambda b: b.get("report", {}).get("total_samples", 0) >= 400 and b["report"])(
        daemon.get("/functions_cpu?raw=1")), 60, "400 samples")
    counted = fixture.stop()
    # Among themselves: interrupts of an emulated machine come late, and a good part of the samples is then in the kernel.
    samples = {row["name"]: row["samples"] for row in report["data"] if row["name"] in counted}
    total, seen = sum(counted.values()), sum(samples.values())
    expect(seen > report["total_samples"] / 3, f"{seen} of {report['total_samples']} samples are in the program")
    for name, spent in counted.items():
        within(samples.get(name, 0) / seen, spent / total - 0.1, spent / total + 0.1, f"share of {name} in {samples}")
    daemon.stop()
    fixture.finish()


def threads():
    fixture = Fixture("threads", "many", 8, 20)
    daemon = attach(fixture, "--domains", "threads")
    wanted = fixture.run()["threads"]

    def caught_up():
        got = {str(entry["os_tid"]): entry["cpu_ns"] for entry in daemon.get("/threads")["data"]}
        return all(got.get(tid, 0) >= cpu * 0.99 for tid, cpu in wanted.items()) and got
    got = wait_until(caught_up, what="the CPU time of all threads")
    for tid, cpu in wanted.items():
        within(got[tid], cpu * 0.99, cpu + max(cpu * 0.02, TICK_NS), f"cpu_ns of thread {tid}")
    equal(len(got), len(wanted) + 1, "number of threads")
    daemon.stop()
    fixture.finish()


def everything():
    """All domains together."""
    fixture = Fixture("calls", 2, 0)
    daemon = attach(fixture, "--domains", "threads,cpu,functions,offcpu")
    fixture.go()
    wait_until(lambda: daemon.functions().get("work_a", {"calls": 0})["calls"] > 10, what="calls")
    domains = daemon.status()["domains"]
    equal(set(domains.values()), {"active"}, f"states of {domains}")
    daemon.stop()
    check_clean(fixture.pid)
    fixture.stop()
    fixture.finish()


class Watch(threading.Thread):
    """How long the whole machine stood still, at most: its clock goes on while the host does not run it."""

    def __init__(self):
        super().__init__(daemon=True)
        self.longest = 0.0

    def run(self):
        before = time.monotonic()
        while True:
            time.sleep(0.1)
            now = time.monotonic()
            self.longest = max(self.longest, now - before)
            before = now


def attempt(name, step, watch):
    """Again, and said so, if the machine stood still meanwhile and a connection broke or times are wrong. Any other failure is
    final: counts are exact however slow the machine is."""
    for left in reversed(range(TRIES)):
        watch.longest = 0.0
        try:
            return step()
        except (AssertionError, OSError) as failure:
            excusable = isinstance(failure, OSError) or name in OF_TIME
            if not left or not excusable or watch.longest < STOOD_STILL:
                raise
            print(f"smoke: {name} again, the machine stood still for {watch.longest:.1f} s: {str(failure)[:200]}")
            clean_up()


def main():
    kind = kernel_argument("hp_attach")
    may_miss = kind != "session" and kernel_argument("preempt") == "full"
    if kind == "refused":
        steps = [("refused", refused)]
    else:
        steps = [("features", lambda: features(kind)), ("counts", lambda: counts(1, 3000, False)), ("threads count", lambda: counts(8, 800, may_miss)),
                 ("times", times), ("exceptions", exceptions), ("killed", killed), ("many", lambda: many(kind)),
                 ("cpu samples", cpu_samples), ("threads", threads), ("everything", everything)]
    Daemon.patience = PATIENCE
    watch = Watch()
    watch.start()
    for name, step in steps:
        start, before = time.monotonic(), Daemon.asked_again
        attempt(name, step, watch)
        again = Daemon.asked_again - before
        print(f"smoke: {name} passed in {time.monotonic() - start:.1f} s" + (f", asked again {again} times" if again else ""))


run(main)
