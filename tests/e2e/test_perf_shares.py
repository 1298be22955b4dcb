"""The 20 hottest functions have the shares that perf record finds side by side, within two points.

python3 test_perf_shares.py [redis|postgres|sqlite] [SECONDS]: seconds of sampling, default 15. perf is the oracle: the same
clock and process, another unwinder and other symbolisation. finish_task_switch is left out on both sides: an event
of one task, perf's, is armed at the end of a switch to it, so it does not see what a switch costs; ours, of a CPU, does
(postgres, which switches at each query: 2 % and 5 %). So are samples without a function.
"""
import math
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403
import programs  # noqa: E402

WHICH = sys.argv[1] if len(sys.argv) > 1 else "redis"
SECONDS = int(sys.argv[2]) if len(sys.argv) > 2 else 15
HERTZ = 999
PERF_HERTZ = 1103  # not in step with ours: two timers that go off together delay each other
POINTS = 2


def plain(name):
    """Without module, parameters and the marks that compilers and perf add: what both tools can agree on."""
    name = re.sub(r"\.(part|constprop|isra|cold|llvm)\.?[0-9]*", "", name)
    return name.strip().replace("__memcpy_", "__memmove_")  # two names of one address


def of_functions(shares):
    shares = {name: share for name, share in shares.items() if name not in ("[unknown]", "finish_task_switch")}
    total = sum(shares.values())
    return {name: 100 * share / total for name, share in shares.items()}


def perf_shares(file):
    """dso and symbol of each sample's innermost frame, in percent."""
    out = subprocess.run(["perf", "report", "-i", file, "--no-children", "-g", "none", "--stdio", "-F", "overhead,dso,sym"],
                         capture_output=True, text=True, check=True).stdout
    shares = {}
    for line in out.splitlines():
        match = re.match(r"\s*([0-9.]+)%\s+(\S+)\s+\[(.)\]\s+(.*)$", line)
        if match:
            percent, dso, space, symbol = match.groups()
            if symbol.startswith("0x"):
                symbol = "[unknown]"
            name = "[vdso]" if dso == "[vdso]" else plain(symbol)
            shares[name] = shares.get(name, 0) + float(percent)
    return of_functions(shares)


def our_shares(report):
    shares = {}
    for row in report["data"]:
        name = row["name"]
        match = re.match(r"(kernel|[^\s:(]+\.so[^\s:(]*):(.*)$", name)
        if match:
            name = match.group(2)
        if name.startswith("[vdso]"):
            name = "[vdso]"
        name = plain(re.sub(r"^.*\+0x[0-9a-f]+$", "[unknown]", name))
        shares[name] = shares.get(name, 0) + row["samples"]
    return of_functions(shares)


def main():
    programs.need("perf")
    pid, processes = {"redis": programs.redis, "postgres": programs.postgres, "sqlite": programs.sqlite}[WHICH]()
    daemon = Daemon("--pid", pid, "--domains", "cpu", "--cpu-hz", HERTZ, "--cpu-window", SECONDS)
    daemon.wait_ready()
    file = os.path.join(temp_dir(), "perf.data")
    subprocess.run(["perf", "record", "-o", file, "-F", str(PERF_HERTZ), "-e", "cpu-clock", "--call-graph", "dwarf,4096", "-m", "8M", "-p", str(pid),
                    "--", "sleep", str(SECONDS)], check=True, capture_output=True)
    report = daemon.get("/functions_cpu?raw=1")["report"]
    daemon.stop()
    for process in processes:
        process.child.kill()
        process.wait()
    expected, found = perf_shares(file), our_shares(report)
    hottest = sorted(expected, key=expected.get, reverse=True)[:20]
    expect(report["total_samples"] > 100 * SECONDS, f"only {report['total_samples']} samples: {WHICH} is not busy")
    for name in hottest:
        print(f"{name[:50]:50} perf {expected[name]:6.2f} %  hotpathd {found.get(name, 0):6.2f} %")
    for name in hottest:
        # Both are samples: two standard errors of their difference on top, 0.6 points for a function with a third of the time.
        share = expected[name] / 100
        slack = POINTS + 2 * 100 * math.sqrt(2 * share * (1 - share) / report["total_samples"])
        within(found.get(name, 0), expected[name] - slack, expected[name] + slack, f"share of {name}")


run(main)
