"""CPU-bound functions rank alike by self time, by CPU samples and by the work that they are known to do, where every call is
timed; where one call in 16 is, those that call no other probed function do."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403
import budget

LEAVES = {"rank_largest", "rank_large", "rank_middle", "rank_small", "rank_innermost", "rank_smaller"}
CALLERS = {"rank_dispatcher", "rank_outer", "rank_inner", "rank_recursive"}
WINDOW = 10


def ranked(figures):
    return sorted(figures, key=figures.get, reverse=True)


def check_order(figures, work, errors, share, what):
    """Whoever has done more work comes first, where figures differ by more than 4 standard errors; that many must."""
    compared = 0
    for a in figures:
        for b in figures:
            noise = (errors[a] ** 2 + errors[b] ** 2) ** 0.5
            if work[a] > work[b] and abs(figures[a] - figures[b]) > 4 * noise:
                expect(figures[a] > figures[b], f"{what}: {b} comes before {a}, which does more: {figures}")
                compared += 1
    pairs = len(figures) * (len(figures) - 1) // 2
    expect(compared >= pairs * share, f"{what}: only {compared} of {pairs} pairs can be told apart: {figures}, {errors}")


def measure(daemon, fixture):
    """Name -> entry, and the fixture's own truth; CPU samples of one window agree with it."""
    report = wait_until(lambda: (lambda b: b.get("report", {}).get("total_elapsed_ns", 0) >= (WINDOW - 0.5) * 1e9 and b)(
        daemon.get("/functions_cpu?raw=1")), 60, "a window of CPU samples")["report"]
    work = fixture.stop()
    daemon.settled()
    equal(work.keys(), LEAVES | CALLERS, "functions of the fixture")
    samples = {row["name"]: row["samples"] for row in report["data"] if row["name"] in work}
    equal(samples.keys(), work.keys(), "functions with samples")
    check_order(samples, work, {name: n ** 0.5 for name, n in samples.items()}, 0.8, "CPU samples")
    entries = {name: entry for name, entry in daemon.functions().items() if name in work}
    equal(entries.keys(), work.keys(), "functions with self times")
    return entries, work


def timed():
    fixture = Fixture("ranks", 4000)
    daemon = attach(fixture, "--exact", "rank_*", "--domains", "functions,cpu", "--cpu-hz", 499, "--cpu-window", WINDOW)
    fixture.go()
    entries, work = measure(daemon, fixture)
    expect(not any("sampling" in entry for entry in entries.values()), f"--exact functions are sampled: {entries}")
    equal(ranked({name: entry["self_ns"] for name, entry in entries.items()}), ranked(work), "order by self time")
    equal(ranked({name: entry["total_ns"] for name, entry in entries.items()})[0], "rank_dispatcher", "first by inclusive time")
    daemon.stop()
    fixture.finish()


def error_ns(entry):
    """The standard error that an estimated total states; what a leaf does is all its own."""
    match = re.search(r"error of total ([0-9.]+) %$", entry.get("sampling", ""))
    return entry["total_ns"] * float(match.group(1)) / 100 if match else 0.0


def sampled():
    fixture = Fixture("ranks", 150)
    fixture.go()
    names = sorted(LEAVES | CALLERS)
    daemon = budget.attach_between(fixture, names, "--functions", "rank_*", "--domains", "functions,cpu", "--cpu-hz", 499,
                                   "--cpu-window", WINDOW)
    wait_until(lambda: any(row["level"] == "sampled" for row in budget.rates(daemon, LEAVES).values()), what="sampling")
    entries, work = measure(daemon, fixture)
    # What the guard dropped for a while has figures of another length of time.
    leaves = {name: entry for name, entry in entries.items() if name in LEAVES and "unprobed" not in entry}
    expect(len(leaves) >= 4, f"most leaves were dropped: {entries}")
    expect(any("sampling" in entry for entry in leaves.values()), f"no leaf is sampled: {leaves}")
    # What a caller's self time holds of calls that were not timed is said, and nothing of what it does itself is missing.
    expect("in the self time of their callers" in daemon.get("/functions_timing").get("self_note", ""), "no word of callers")
    expect(entries["rank_outer"]["self_ns"] > entries["rank_smaller"]["self_ns"], f"outer does 5 times as much: {entries}")
    check_order({name: entry["self_ns"] for name, entry in leaves.items()}, work,
                {name: error_ns(entry) for name, entry in leaves.items()}, 0.5, "estimated self time")
    daemon.stop()
    fixture.finish()


def main():
    timed()
    sampled()


run(main)
