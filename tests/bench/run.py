"""Budgets that need a quiet machine: python3 tests/bench/run.py BUILD_DIR [--rounds N] [--only startup|attach|calls|bias|tables].

startup: 20,000 functions: start to first answer, attach time, memory, each against its budget.
attach:  1,000, 10,000 and 50,000 functions: time to attach and to detach.
calls:   cost of a timed call against an empty session on the same instruction and against a bpftrace latency script on the same
         function, of a call that is timed once in 16 against an empty uprobe; interleaved rounds, median and spread of
         ratios; never absolute figures of one run, since machines differ and are noisy.
bias:    durations that the daemon shows against those without probes, bodies of 0.2 to 100 us, and a caller of ten.
tables:  unwind tables of large programs: time to build them (elapsed, in the sandbox; and of the CPU alone), rows, bytes per row.
Exit status 1 if a budget of startup is missed; the others are printed beside theirs.
"""
import argparse
import glob
import json
import os
import re
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("build")
parser.add_argument("--rounds", type=int, default=9)
parser.add_argument("--only", choices=["startup", "attach", "calls", "bias", "tables"])
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


# Functions of the smallest kind, as many as wanted.
MANY = """.text
.macro one n
.globl many_\\n
.type many_\\n,@function
many_\\n: push %rbp
pop %rbp
ret
.size many_\\n,.-many_\\n
.endm
.altmacro
.set i,0
.rept {count}
one %i
.set i,i+1
.endr
.globl main
.type main,@function
main: push %rbx
1: call getchar@PLT
test %eax,%eax
jns 1b
xor %eax,%eax
pop %rbx
ret
.size main,.-main
.section .note.GNU-stack,"",@progbits
"""


def compiled(name, source, *flags):
    path = os.path.join(harness.temp_dir(), name)
    with open(path, "w", encoding="ascii") as file:
        file.write(source)
    program = os.path.splitext(path)[0]
    subprocess.run(["cc", *flags, path, "-o", program], check=True)
    return program


def attach():
    print("attach and detach (median of five; in the kernel, and until the daemon has ended):", flush=True)
    for count in (1000, 10000, 50000):
        program = compiled(f"many{count}.s", MANY.format(count=count))
        rows = []
        for _ in range(5):
            target = Process([program])
            daemon = Daemon("--pid", target.pid, "--domains", "functions")
            status = daemon.wait_ready()
            attached = status["probes"]["attached"]
            start = time.monotonic()
            daemon.stop()
            rows.append((status["attach_ns"] / 1e9, time.monotonic() - start))
            target.close()
        print(f"  {attached:>6} functions: attached in {ms(statistics.median(r[0] for r in rows))}, detached in "
              f"{ms(statistics.median(r[1] for r in rows))}", flush=True)


# One function per way in which code begins, and one that takes as long as it is told; the fixture is small, so that only the
# probe costs.
SOURCE = r"""
#include "fixture.h"
#define BODY(name, code) __asm__(".text\n.balign 16\n.globl " #name "\n.type " #name ",@function\n" #name ":\n" code \
	".size " #name ",.-" #name "\n"); uint64_t name(uint64_t);
BODY(f_push, "push %rbp\nmov %rsp,%rbp\nlea 1(%rdi),%rax\npop %rbp\nret\n")
BODY(f_endbr, "endbr64\npush %rbp\nmov %rsp,%rbp\nlea 1(%rdi),%rax\npop %rbp\nret\n")
BODY(f_mov, "mov %rdi,%rax\npush %rbx\nadd $1,%rax\npop %rbx\nret\n")
BODY(f_test, "test %rdi,%rdi\nje 1f\nlea 1(%rdi),%rax\nret\n1: mov $1,%eax\nret\n")
BODY(f_spin, "push %rbp\n1: dec %rdi\njnz 1b\npop %rbp\nret\n")
BODY(f_ten, "push %rbp\npush %rbx\npush %r12\nmov %rdi,%r12\nmov $10,%ebx\n1: mov %r12,%rdi\ncall f_spin\ndec %ebx\n"
	"jnz 1b\npop %r12\npop %rbx\npop %rbp\nret\n")
int main(void)
{
	static const struct { const char *name; uint64_t (*call)(uint64_t); } all[] = {{"f_push", f_push},
		{"f_endbr", f_endbr}, {"f_mov", f_mov}, {"f_test", f_test}, {"f_spin", f_spin}, {"f_ten", f_ten}};
	char line[64];
	fx_ready();
	while (fgets(line, sizeof(line), stdin)) {
		char name[32]; unsigned long n, x;
		if (sscanf(line, "%31s %lu %lu", name, &n, &x) != 3) break;
		for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
			if (strcmp(all[i].name, name)) continue;
			uint64_t start = fx_clock_ns(CLOCK_THREAD_CPUTIME_ID);
			for (unsigned long k = 0; k < n; k++) all[i].call(x);
			printf("{\"ns\":%.2f}\n", (double)(fx_clock_ns(CLOCK_THREAD_CPUTIME_ID) - start) / n);
			fflush(stdout);
		}
	}
	return 0;
}
"""
CALLS = 20000


class Target(Process):
    def __init__(self):
        self.program = compiled("entries.c", SOURCE, "-O2", "-g", "-D_GNU_SOURCE", "-I",
                                os.path.join(harness.ROOT, "tests", "fixtures"))
        super().__init__([self.program])
        self.out.get(timeout=10)

    def once(self, name, calls=CALLS, argument=1):
        self.child.stdin.write(f"{name} {calls} {argument}\n".encode())
        self.child.stdin.flush()
        return json.loads(self.out.get(timeout=120))["ns"]

    def measure(self, name, calls=CALLS, argument=1):
        """The least of five: what else runs on the machine only adds."""
        return min(self.once(name, calls, argument) for _ in range(5))

    def site(self, name):
        """Offset in the file of the instruction that the daemon probes."""
        text = subprocess.run([harness.DAEMON, "--pid", str(self.pid), "--dry-run", "--functions", name], capture_output=True,
                              text=True, check=True).stdout
        row = next(line.split("\t") for line in text.splitlines() if line.startswith(name + "\t"))
        addr = int(row[2], 16) + int(re.match(r"\+(\d+)", row[3]).group(1))
        loads = subprocess.run(["readelf", "-lW", self.program], capture_output=True, text=True, check=True).stdout
        for words in (line.split() for line in loads.splitlines()):
            if words[:1] == ["LOAD"] and 0 <= addr - int(words[2], 16) < int(words[4], 16):
                return addr - int(words[2], 16) + int(words[1], 16)
        raise AssertionError(f"no segment holds {name}")


def with_tracer(target, tracer, name):
    target.once(name)  # warm
    cost = target.measure(name)
    tracer.child.send_signal(2)
    tracer.wait()
    harness.check_clean(target.pid)
    return cost


LATENCY = ("uprobe:{p}:{f} {{ @s[tid] = nsecs; }} uretprobe:{p}:{f} /@s[tid]/ "
           "{{ @h = hist(nsecs - @s[tid]); delete(@s[tid]); }}")


def with_bpftrace(target, name):
    tracer = Process(["bpftrace", "-p", str(target.pid), "-e", LATENCY.format(p=target.program, f=name)])
    wait_until(lambda: harness.changed_text(target.pid) or not tracer.alive(), what="the probes of bpftrace")
    if not tracer.alive():
        raise AssertionError(f"bpftrace failed: {tracer.stderr()}")
    return with_tracer(target, tracer, name)


def with_probe(target, name, offset, kind):
    tracer = Process([os.path.join(options.build, "tests", "bench", "bench_probe"), str(target.pid), target.program, f"{offset:x}",
                      kind])
    tracer.out.get(timeout=10)
    return with_tracer(target, tracer, name)


KINDS = ("empty", "empty-session", "timed", "sampled")


def calls():
    if not harness.shutil.which("bpftrace"):
        print("calls: SKIP: bpftrace is not installed")
        return
    target = Target()
    version = subprocess.run(["bpftrace", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    print(f"cost of a timed call, {options.rounds} interleaved rounds, kernel {os.uname().release}, {version}:", flush=True)
    for name, budget in (("f_push", 0.80), ("f_endbr", 0.13), ("f_mov", 0.13), ("f_test", 0.13)):
        offset, rows = target.site(name), []
        for _ in range(options.rounds):
            base = target.measure(name)
            row = {kind: with_probe(target, name, offset, kind) - base for kind in KINDS}
            row["bpftrace"] = with_bpftrace(target, name) - base
            rows.append(row)
        print(f"  {name}: " + ", ".join(f"{kind} {statistics.median(row[kind] for row in rows):.0f} ns" for kind in rows[0]))
        for what, over, under, limit in (("timed against an empty session", "timed", "empty-session", 1.30),
                                         ("1 in 16 against an empty uprobe", "sampled", "empty", 1.20),
                                         ("timed against bpftrace", "timed", "bpftrace", budget),
                                         ("  an empty session against bpftrace", "empty-session", "bpftrace", None)):
            ratios = [row[over] / row[under] for row in rows]
            print(f"    {what}: {spread(ratios)}")
            if limit:
                verdict(f"{name}: {what}", statistics.median(ratios), limit, lambda v: f"{v:.3f} x", hard=False)
    target.close()


def shown(target, name, argument, calls):
    """What the daemon says of so many calls: median of its durations, in ns."""
    daemon = Daemon("--pid", target.pid, "--exact", "f_spin", "--exact", "f_ten", "--domains", "functions", "--percentiles", "50")
    daemon.wait_ready()
    target.once(name, calls, argument)
    wait_until(lambda: daemon.functions().get(name, {}).get("calls", 0) >= calls, what="the calls")
    entry = daemon.functions()[name]
    daemon.stop()
    return entry["percentiles_ns"]["p50"] if "percentiles_ns" in entry else entry["p50_ns"]


def bias():
    target = Target()
    print(f"bias of durations, {options.rounds} rounds:", flush=True)
    loop = target.measure("f_spin", 2000, 100000) / 100000
    for name, inner in (("f_spin", 1), ("f_ten", 10)):
        for body in (200, 1000, 10000, 100000):
            argument, count = max(1, int(body / loop / inner)), max(500, 2000000 // body)
            errors = []
            for _ in range(options.rounds):
                true = target.measure(name, count, argument)
                errors.append((shown(target, name, argument, count) - true, true))
            error, true = statistics.median(e[0] for e in errors), statistics.median(e[1] for e in errors)
            print(f"  {name} of {true:.0f} ns: {error:+.0f} ns ({error / true * 100:+.1f} %), {min(e[0] for e in errors):+.0f} ... "
                  f"{max(e[0] for e in errors):+.0f}", flush=True)
            if name == "f_spin":
                verdict(f"bias of a leaf of {true:.0f} ns", abs(error), 100, lambda v: f"{v:.0f} ns", hard=False)
            else:
                verdict(f"bias of a caller of {true:.0f} ns", abs(error) / true, 0.1, lambda v: f"{v * 100:.1f} %", hard=False)
    target.close()


PROGRAMS = ("node", "redis-server")


def tables():
    print("unwind tables (median of nine):", flush=True)
    found = [harness.shutil.which(name) for name in PROGRAMS] + sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))[:1]
    files = list(dict.fromkeys(os.path.realpath(name) for name in found if name)) + ["/lib/x86_64-linux-gnu/libc.so.6"]
    text = subprocess.run([os.path.join(options.build, "tests", "bench", "bench_cfi"), *files], capture_output=True, text=True,
                          check=True).stdout
    for row in map(json.loads, text.splitlines()):
        name = os.path.basename(row["file"])
        print(f"  {name}: {row['rows']} rows, {row['rules']} rules, {row['pages']} pages, {row['cpu_ms']:.1f} ms of the CPU")
        if name == "node":
            verdict("node: table built", row["ms"], 100, lambda v: f"{v:.1f} ms", hard=False)
        else:
            print(f"    built in {row['ms']:.1f} ms")
        verdict(f"{name}: bytes per row", row["bytes_per_row"], 6, lambda v: f"{v:.2f}", hard=False)


def main():
    for part in (startup, attach, calls, bias, tables):
        if options.only in (None, part.__name__):
            part()
    if missed:
        raise AssertionError("missed: " + ", ".join(missed))


run(main)
