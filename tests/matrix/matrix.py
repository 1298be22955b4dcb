"""The matrix: small programs, built with every set of flags, whose own counts are compared with the daemon's, to the call.

A program is a set of units (see matrix.h) built in one way; one daemon serves all its units. A case is one unit of
one program: after it ran, each function's entries and calls, the losses and the self times must be what it says.
"""
import concurrent.futures
import os
import shlex
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403

HERE = os.path.dirname(os.path.abspath(__file__))
LOSSES = ("shadow_stack_missing", "shadow_stack_full", "exits_skipped", "returns_unmatched", "returns_too_deep",
          "calls_while_paused")
FAILED_SHOWN = 20


class Program(Process):
    """A built matrix program: ready, then units by name."""

    def __init__(self, path, *arguments, prefix=()):
        # Where it may leave files: what -pg writes at the end, for one.
        super().__init__([*prefix, path, *map(str, arguments)], cwd=os.path.dirname(path))
        equal(self.line(), {"ready": True}, f"first line of {path}")

    def line(self, limit=60):
        try:
            text = self.out.get(timeout=limit)
        except queue.Empty:
            raise AssertionError(f"it printed nothing for {limit} s") from None
        if text is None:
            code = self.child.wait()
            why = signal.Signals(-code).name if code < 0 else f"status {code}"
            raise AssertionError(f"the program ended early: {why}; {self.stderr()[-300:]}")
        return json.loads(text)

    def unit(self, name):
        self.child.stdin.write(name.encode() + b"\n")
        self.child.stdin.flush()
        return self.line()

    def finish(self):
        self.child.stdin.write(b"exit\n")
        self.child.stdin.close()
        equal(self.wait(), 0, "exit status of the program")


def together(label, folder, names, suffix):
    """The sources of a program: one file that includes them all, which compiles quickest; apart for link-time optimisation."""
    if "-flto" in label:
        return [os.path.join(HERE, name) for name in names]
    path = os.path.join(folder, f"all.{suffix}")
    with open(path, "w", encoding="utf-8") as file:
        file.write("".join(f'#include "{name}"\n' for name in names))
    return [path]


def compile_one(label, argv, env):
    """A compiler that refuses is a failure with its message."""
    done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, env={**os.environ, **env})
    expect(done.returncode == 0, f"{label}: {shlex.join(argv)}: {done.stderr[-2000:]}")


def figures(daemon):
    """Name -> what the daemon knows of a function, as numbers."""
    found = {}
    for entry in daemon.get("/functions_timing?raw=1")["data"]:
        counted = "sampling" in entry
        found[entry["name"]] = {
            "counted": counted, "calls": entry["calls"], "entries": int(entry.get("entries", entry["calls"])),
            "total": entry["total_ns"], "self": entry["self_ns"], "max": entry["max_ns"], "min": entry["min_ns"],
        }
    return found


def since(before, now):
    """Differences per function; functions that did not change are left out."""
    changed = {}
    for name, entry in now.items():
        old = before.get(name, {"calls": 0, "entries": 0, "total": 0, "self": 0})
        if (entry["calls"], entry["entries"]) != (old["calls"], old["entries"]):
            changed[name] = {**entry, **{key: entry[key] - old[key] for key in ("calls", "entries", "total", "self")}}
    return changed


def check_function(name, counts, got):
    """Finished calls, and entries, to the call."""
    entries, left, deep, jumps = counts
    calls = entries - left - deep
    if got is None:
        # A function none of whose calls finished has no entry in the list.
        expect(calls == 0 or calls == jumps, f"{name}: not listed, but {entries} entries and {calls} calls")
        return
    equal(got["entries"], entries, f"{name}: entries")
    if got["counted"]:
        return
    # Timed by probes on exits, a call that ends by a jump through a pointer has an entry only.
    allowed = {calls} | ({entries - left - jumps} if jumps else set())
    expect(got["calls"] in allowed, f"{name}: {got['calls']} calls, not {sorted(allowed)} (of {entries} entries)")
    expect(got["self"] <= got["total"] and got["min"] <= got["max"], f"{name}: impossible times: {got}")


def check_losses(unit, functions, got, losses):
    """What is not a finished call is explained, and nothing is reported lost that was not."""
    left, deep, jumps = (sum(counts[i] for counts in functions.values()) for i in (1, 2, 3))
    equal(losses["calls_while_paused"] + losses["shadow_stack_missing"], 0, f"calls lost by the daemon in {losses}")
    if deep == 0:
        equal(losses["returns_too_deep"] + losses["returns_unmatched"] + losses["shadow_stack_full"], 0,
              f"levels below 64 reported in {losses}")
    if left == jumps == 0:
        equal(losses["exits_skipped"], 0, f"frames without an exit reported in {losses}")
    if left == jumps == 0 and deep:
        missing = sum(max(0, entry["entries"] - entry["calls"]) for entry in got.values() if not entry["counted"])
        equal(losses["returns_too_deep"] + losses["returns_unmatched"], missing, f"calls without a time, of {losses}")


def check_self_times(unit, functions, got):
    """
    All time of a unit is the self time of one of its functions: their sum is the unit's inclusive time, to
    the nanosecond. Not where frames are left: the callees that returned before cannot be charged to a call that never ends.
    """
    root = got.get(f"mx_unit_{unit}") or got.get(f"main.mx_unit_{unit}")
    if not root or root["counted"] or any(counts[1] for counts in functions.values()):
        return
    equal(sum(entry["self"] for entry in got.values()), root["total"], "sum of all self times")


def check_unit(program, daemon, unit, state):
    said = program.unit(unit)
    equal(said["wrong"], 0, "wrong results")
    functions = said["functions"]
    expect(len(functions) > 1, "the unit counted nothing: the test proves nothing")
    status = daemon.settled()
    now = figures(daemon)
    got = since(state["figures"], now)
    losses = {name: status["losses"][name] - state["losses"].get(name, 0) for name in LOSSES}
    state["figures"], state["losses"] = now, {name: status["losses"][name] for name in LOSSES}
    for name, counts in functions.items():
        check_function(name, counts, got.get(name))
    equal(sorted(set(got) - set(functions)), [], "functions that were measured and not called")
    check_losses(unit, functions, got, losses)
    check_self_times(unit, functions, got)


def run_program(path, units, rounds, patterns):
    """{unit: None or what is wrong}."""
    results = {}
    program = Program(path, rounds)
    try:
        arguments = [word for pattern in patterns for word in ("--exact", pattern)]
        # Raw durations: only they add up to the nanosecond.
        daemon = attach(program, "--domains", "functions", "--no-compensate", *arguments)
        state = {"figures": {}, "losses": {}}
        unlisted = daemon.get("/functions_timing")
        equal(unlisted["skipped"], {}, "functions that were skipped")
        for unit in units:
            try:
                check_unit(program, daemon, unit, state)
                results[unit] = None
            except AssertionError as why:
                results[unit] = str(why)
                expect(program.alive(), f"{unit}: {why}")
        daemon.stop()
        check_clean(program.pid)
        program.finish()
    finally:
        program.close()
    return results


def run_matrix(group, builds, paths, units, rounds, patterns):
    """
    Builds all programs, each while its predecessors run, runs all cases, prints one line per program and fails with the
    cases that are wrong.
    """
    failed, cases = [], 0
    pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
    built = {label: pool.submit(compile_one, label, *build) for label, build in builds.items()}
    for label, path in paths.items():
        started = time.monotonic()
        try:
            built[label].result()
            results = run_program(path, units, rounds, patterns)
        except AssertionError as why:
            results = {"whole program": str(why)}
        cases += len(units)
        bad = [f"{group}: {label}: {unit}: {why}" for unit, why in results.items() if why]
        failed += bad
        print(f"{'FAILED' if bad else 'passed'} {label} ({len(units)} cases, {time.monotonic() - started:.1f} s)", flush=True)
    pool.shutdown()
    print(f"{cases} cases, {len(failed)} failed")
    expect(not failed, "\n" + "\n".join(failed[:FAILED_SHOWN]))


def only_named(labels, more=()):
    """Words on the command line choose programs whose label contains them, also from @more, which no test run builds; "" is all."""
    words = sys.argv[1:]
    return [label for label in [*labels, *more] if any(word in label for word in words)] if words else list(labels)
