"""Budgets that need a quiet machine: python3 tests/bench/run.py BUILD_DIR [--rounds N] [--only startup|calls].

startup: 20,000 functions: start to first answer, attach time, memory, each against its budget.
calls:   cost of a timed call against an empty uprobe pair and a bpftrace latency script, interleaved rounds, median and
         spread of ratios; never absolute figures of one run, since machines differ and are noisy.
Exit status 1 if a budget of startup is missed; ratios of calls are printed beside theirs.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("build")
parser.add_argument("--rounds", type=int, default=9)
parser.add_argument("--only", choices=["startup", "calls"])
options = parser.parse_args()
os.environ["HP_DAEMON"] = os.path.join(options.build, "hotpathd")
os.environ["HP_FIXTURES"] = os.path.join(options.build, "fixtures")
import harness  # noqa: E402
from harness import Daemon, Fixture, Process, run, wait_until  # noqa: E402

missed = []


def verdict(what, value, budget, form, hard=True):
    ok = value <= budget
    if hard and not ok:
        missed.append(what)
    print(f"  {what:<44} {form(value):>12}   budget {form(budget):>10}   {'ok' if ok else 'MISSED'}", flush=True)


def spread(values):
    return f"median {statistics.median(values):.3f}, {min(values):.3f} ... {max(values):.3f}, {len(values)} rounds"


def ms(value):
    return f"{value * 1000:.1f} ms"


def mib(value):
    return f"{value / (1 << 20):.1f} MiB"


def one_start():
    fixture = Fixture("manyfuncs")
    start = time.monotonic()
    daemon = Daemon("--pid", fixture.pid)
    daemon.status()
    answered = time.monotonic() - start
    status = daemon.wait_ready()
    ready = time.monotonic() - start
    detach = time.monotonic()
    daemon.stop()
    detach = time.monotonic() - detach
    fixture.finish()
    return {"answer": answered, "ready": ready, "attach": status["attach_ns"] / 1e9, "detach": detach, "rss": status["rss_bytes"],
            "kernel": status["kernel_bytes"], "attached": status["probes"]["attached"]}


def startup():
    print("20,000 functions (median of five starts):", flush=True)
    runs = [one_start() for _ in range(5)]
    median = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    if min(run["attached"] for run in runs) < 20000:
        missed.append("20,000 functions attached")
    print(f"  attached {median['attached']:.0f} functions; ready after {ms(median['ready'])}, detached in {ms(median['detach'])}")
    verdict("start to first answer", median["answer"], 1.0, ms)
    verdict("attach", median["attach"], 0.150, ms)
    verdict("daemon memory (RSS)", median["rss"], 64 << 20, mib)
    verdict("kernel memory of its maps", median["kernel"], 64 << 20, mib)


# One function per way in which code begins; the fixture is small, so that only the probe costs.
SOURCE = r"""
#include "fixture.h"
#define BODY(name, code) __asm__(".text\n.balign 16\n.globl " #name "\n.type " #name ",@function\n" #name ":\n" code \
	".size " #name ",.-" #name "\n"); uint64_t name(uint64_t);
BODY(f_push, "push %rbp\nmov %rsp,%rbp\nlea 1(%rdi),%rax\npop %rbp\nret\n")
BODY(f_endbr, "endbr64\npush %rbp\nmov %rsp,%rbp\nlea 1(%rdi),%rax\npop %rbp\nret\n")
BODY(f_mov, "mov %rdi,%rax\npush %rbx\nadd $1,%rax\npop %rbx\nret\n")
BODY(f_test, "test %rdi,%rdi\nje 1f\nlea 1(%rdi),%rax\nret\n1: mov $1,%eax\nret\n")
int main(void)
{
	static const struct { const char *name; uint64_t (*call)(uint64_t); } all[] = {
		{"f_push", f_push}, {"f_endbr", f_endbr}, {"f_mov", f_mov}, {"f_test", f_test}};
	char line[64];
	fx_ready();
	while (fgets(line, sizeof(line), stdin)) {
		char name[32]; unsigned long n;
		if (sscanf(line, "%31s %lu", name, &n) != 2) break;
		for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
			if (strcmp(all[i].name, name)) continue;
			uint64_t start = fx_clock_ns(CLOCK_THREAD_CPUTIME_ID), x = 1;
			for (unsigned long k = 0; k < n; k++) x = all[i].call(x);
			printf("{\"ns\":%.2f}\n", (double)(fx_clock_ns(CLOCK_THREAD_CPUTIME_ID) - start) / n);
			fflush(stdout);
		}
	}
	return 0;
}
"""
CALLS = 60000


class Target(Process):
    def measure(self, name):
        self.child.stdin.write(f"{name} {CALLS}\n".encode())
        self.child.stdin.flush()
        return json.loads(self.out.get(timeout=120))["ns"]


def build_target():
    folder = harness.temp_dir()
    source, program = os.path.join(folder, "entries.c"), os.path.join(folder, "entries")
    with open(source, "w", encoding="ascii") as file:
        file.write(SOURCE)
    subprocess.run(["cc", "-O2", "-g", "-D_GNU_SOURCE", "-I", os.path.join(harness.ROOT, "tests", "fixtures"), source, "-o", program],
                   check=True)
    return program


def bpftrace(program, pid, name, script):
    tracer = Process(["bpftrace", "-p", str(pid), "-e", script.format(p=program, f=name)])
    wait_until(lambda: harness.changed_text(pid) or not tracer.alive(), what="the probes of bpftrace")
    if not tracer.alive():
        raise AssertionError(f"bpftrace failed: {tracer.stderr()}")
    return tracer


EMPTY = "uprobe:{p}:{f} {{ }} uretprobe:{p}:{f} {{ }}"
LATENCY = ("uprobe:{p}:{f} {{ @s[tid] = nsecs; }} uretprobe:{p}:{f} /@s[tid]/ "
           "{{ @h = hist(nsecs - @s[tid]); delete(@s[tid]); }}")


def with_tracer(target, program, name, script):
    tracer = bpftrace(program, target.pid, name, script)
    target.measure(name)  # warm
    cost = target.measure(name)
    tracer.child.send_signal(2)
    tracer.wait()
    harness.check_clean(target.pid)
    return cost


def with_daemon(target, name):
    daemon = Daemon("--pid", target.pid, "--exact", name, "--domains", "functions")
    daemon.wait_ready()
    target.measure(name)
    cost = target.measure(name)
    daemon.stop()
    harness.check_clean(target.pid)
    return cost


def calls():
    if not harness.shutil.which("bpftrace"):
        print("calls: SKIP: bpftrace is not installed")
        return
    program = build_target()
    target = Target([program])
    target.out.get(timeout=10)
    version = subprocess.run(["bpftrace", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    print(f"cost of a timed call, {options.rounds} interleaved rounds, kernel {os.uname().release}, {version}:", flush=True)
    print("  (the empty pair is bpftrace's entry and return probe at the symbol, not a session)")
    for name, budget in (("f_push", 0.80), ("f_endbr", 0.13), ("f_mov", 0.13), ("f_test", 0.13)):
        rows = []
        for _ in range(options.rounds):
            base = target.measure(name)
            ours = with_daemon(target, name) - base
            latency = with_tracer(target, program, name, LATENCY) - base
            empty = with_tracer(target, program, name, EMPTY) - base
            rows.append((ours, latency, empty))
        against_latency = [ours / latency for ours, latency, _ in rows]
        against_empty = [ours / empty for ours, _, empty in rows]
        print(f"  {name}: {statistics.median(r[0] for r in rows):.0f} ns a call; bpftrace {statistics.median(r[1] for r in rows):.0f} ns; "
              f"empty pair {statistics.median(r[2] for r in rows):.0f} ns")
        print(f"    against an empty pair: {spread(against_empty)}")
        print(f"    against bpftrace:      {spread(against_latency)}")
        verdict(f"{name} against bpftrace", statistics.median(against_latency), budget, lambda v: f"{v:.3f} x", hard=False)
    target.close()


def main():
    if options.only != "calls":
        startup()
    if options.only != "startup":
        calls()
    if missed:
        raise AssertionError("missed: " + ", ".join(missed))


run(main)
