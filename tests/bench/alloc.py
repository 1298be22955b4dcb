"""What a request to the allocator and its release cost: python3 tests/bench/alloc.py BUILD_DIR [--rounds N].

pair:  malloc and free under our probes (counting, without stacks) against a bpftrace script after memleak's manner, which keeps
       sizes of live blocks, without stacks either; and against programs that do nothing on the same instructions: no program can be
       cheaper. Interleaved rounds, median and spread of ratios. heaptrack, where it is installed, for reference.
Figures are printed beside their budgets; the exit status is 0.
"""
import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("build")
parser.add_argument("--rounds", type=int, default=9)
options = parser.parse_args()
os.environ["HP_DAEMON"] = os.path.join(options.build, "hotpathd")
os.environ["HP_FIXTURES"] = os.path.join(options.build, "fixtures")
import harness  # noqa: E402
from harness import Daemon, Process, run, wait_until  # noqa: E402

# Its main loop is its own, so that it can run under heaptrack as well.
SOURCE = r"""
#include "fixture.h"
int main(void)
{
	char line[64];
	fx_ready();
	while (fgets(line, sizeof(line), stdin)) {
		unsigned long n = strtoul(line, NULL, 10);
		uint64_t start = fx_clock_ns(CLOCK_THREAD_CPUTIME_ID);
		for (unsigned long i = 0; i < n; i++) {
			void *block = malloc(48);
			__asm__ volatile("" : "+r"(block) : : "memory");
			free(block);
		}
		printf("{\"ns\":%.2f}\n", (double)(fx_clock_ns(CLOCK_THREAD_CPUTIME_ID) - start) / (double)n);
		fflush(stdout);
	}
	return 0;
}
"""
PAIRS = 20000
BUDGET = 0.13
# As bcc's memleak without stacks: sizes by thread until the return, then by address.
SCRIPT = """uprobe:{libc}:malloc {{ @size[tid] = arg0; }}
uretprobe:{libc}:malloc /@size[tid]/ {{ @block[retval] = @size[tid]; @live += @size[tid]; delete(@size[tid]); }}
uprobe:{libc}:free /@block[arg0]/ {{ @live -= @block[arg0]; delete(@block[arg0]); }}
"""


class Target(Process):
    def __init__(self, program, *before):
        super().__init__([*before, program])
        self.out.get(timeout=30)

    def once(self, pairs=PAIRS):
        self.child.stdin.write(f"{pairs}\n".encode())
        self.child.stdin.flush()
        return json.loads(self.out.get(timeout=120))["ns"]

    def measure(self):
        """The least of seven: what else runs on the machine only adds."""
        self.once()  # warm
        return min(self.once() for _ in range(7))


def compiled():
    path = os.path.join(harness.temp_dir(), "pairs.c")
    with open(path, "w", encoding="ascii") as file:
        file.write(SOURCE)
    subprocess.run(["cc", "-O2", "-fno-builtin", "-D_GNU_SOURCE", "-I", os.path.join(harness.ROOT, "tests", "fixtures"), path, "-o", path[:-2]],
                   check=True)
    return path[:-2]


def ended(tracers, target):
    for tracer in tracers:
        tracer.child.send_signal(signal.SIGINT)
    for tracer in tracers:
        tracer.wait()
    harness.check_clean(target.pid)


def with_ours(target):
    """Cost, and where the daemon's probes on malloc and free are."""
    daemon = Daemon("--pid", target.pid, "--domains", "alloc", "--overhead", "100", "--alloc-period", str(1 << 30))
    daemon.wait_ready()
    sites = sites_of(target.pid)
    cost = target.measure()
    harness.equal(daemon.get("/alloc")["mode"], "exact", "mode of the measurement")
    daemon.stop()
    harness.check_clean(target.pid)
    return cost, sites


def sites_of(pid):
    """Offsets in libc's file of the breakpoints in malloc and in free."""
    found, (libc, symbols) = {}, symbols_of(pid)
    for path, offset in harness.changed_text(pid):
        for name in ("malloc", "free"):
            start, size = symbols[name]
            if path == libc and start <= offset < start + size:
                found[name] = offset
    return libc, found


def symbols_of(pid):
    with open(f"/proc/{pid}/maps", encoding="ascii") as file:
        libc = next(line.split()[-1] for line in file if "/libc.so.6" in line)
    rows = subprocess.run(["readelf", "--dyn-syms", "-W", libc], capture_output=True, text=True, check=True).stdout
    found = {}
    for words in map(str.split, rows.splitlines()):
        if len(words) == 8 and words[7].split("@")[0] in ("malloc", "free"):
            found[words[7].split("@")[0]] = (int(words[1], 16), int(words[2]))  # libc's text is where its file has it
    return libc, found


def with_floor(target, sites):
    libc, offsets = sites
    probe = os.path.join(options.build, "tests", "bench", "bench_probe")
    tracers = [Process([probe, str(target.pid), libc, f"{offsets[name]:x}", kind])
               for name, kind in (("malloc", "empty-session"), ("free", "empty"))]
    for tracer in tracers:
        tracer.out.get(timeout=10)
    cost = target.measure()
    ended(tracers, target)
    return cost


def with_bpftrace(target, libc):
    tracer = Process(["bpftrace", "-p", str(target.pid), "-e", SCRIPT.format(libc=libc)])
    wait_until(lambda: len(harness.changed_text(target.pid)) >= 2 or not tracer.alive(), what="the probes of bpftrace")
    if not tracer.alive():
        raise AssertionError(f"bpftrace failed: {tracer.stderr()}")
    cost = target.measure()
    ended([tracer], target)
    return cost


def spread(values):
    return f"median {statistics.median(values):.3f}, {min(values):.3f} ... {max(values):.3f}, {len(values)} rounds"


def heaptrack(program, base):
    if not shutil.which("heaptrack"):
        print("  heaptrack: not installed")
        return
    target = Target(program, "heaptrack", "-o", os.path.join(harness.temp_dir(), "heaptrack"))
    print(f"  heaptrack, with stacks: {target.measure() - base:.0f} ns a pair")
    target.close()


def main():
    if not shutil.which("bpftrace"):
        print("alloc: SKIP: bpftrace is not installed")
        return
    program = compiled()
    target, rows = Target(program), []
    for _ in range(options.rounds):
        base = target.measure()
        ours, sites = with_ours(target)
        rows.append({"base": base, "ours": ours - base, "floor": with_floor(target, sites) - base,
                     "bpftrace": with_bpftrace(target, sites[0]) - base})
    target.close()
    print(f"malloc and free, kernel {os.uname().release}: " +
          ", ".join(f"{kind} {statistics.median(row[kind] for row in rows):.0f} ns" for kind in rows[0]))
    ratio = [row["ours"] / row["bpftrace"] for row in rows]
    print(f"  ours against bpftrace: {spread(ratio)}; budget {BUDGET}: {'ok' if statistics.median(ratio) <= BUDGET else 'MISSED'}")
    print(f"  empty programs against bpftrace: {spread([row['floor'] / row['bpftrace'] for row in rows])}")
    print(f"  ours against empty programs: {spread([row['ours'] / row['floor'] for row in rows])}")
    heaptrack(program, statistics.median(row["base"] for row in rows))


run(main)
