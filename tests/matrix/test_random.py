"""Random functions leave the same registers, flags, vectors and memory with probes as without, and are counted exactly.

test_random.py [CALLS [SEED]]: a few thousand calls by default; a million for a thorough run.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "random"))
from matrix import *  # noqa: E402,F403
from generate import generate  # noqa: E402

CALLS = int(sys.argv[1]) if len(sys.argv) > 1 else 12000
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else 1
FUNCTIONS, ROUNDS = 400, 3
LIMIT = 60 + CALLS // 1000


def features():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        words = set(next(line for line in file if line.startswith("flags")).split())
    return words & {"avx2", "bmi2"}


def build(folder, seed, exits):
    """exits: a program that exceptions may pass, so functions are timed by probes on their exits."""
    text, calls = generate(seed, FUNCTIONS, features())
    source, path = os.path.join(folder, f"random{seed}.s"), os.path.join(folder, f"random{seed}")
    with open(source, "w", encoding="utf-8") as file:
        file.write(text)
    unwinds = os.path.join(folder, "unwinds.c")
    with open(unwinds, "w", encoding="utf-8") as file:
        file.write('#include "matrix.h"\n' if exits else "")
    compile_one(f"seed {seed}", ["gcc", "-O2", "-no-pie", "-fno-pie", "-fexceptions", "-DMX_UNWINDS", f"-I{HERE}",
                                 *(f"-m{feature}" for feature in features()), os.path.join(HERE, "random", "main.c"),
                                 os.path.join(HERE, "random", "call.S"), unwinds, source, "-o", path], {})
    return path, calls


def run_once(path, seed, probed):
    # Flags show addresses (sub from rsp), so these must be the same each time.
    program = Program(path, CALLS // ROUNDS, seed, prefix=("setarch", "-R"))
    daemon, got = None, None
    if probed:
        daemon = attach(program, "--domains", "functions", "--exact", "fn_*")
    program.child.stdin.write(b"run\n")
    program.child.stdin.flush()
    said = program.line(LIMIT)["functions"]
    if probed:
        daemon.settled()
        body = daemon.get("/functions_timing?raw=1")
        got = figures(daemon), body["skipped"], daemon.status()["probes"]["attached"]
        daemon.stop()
        check_clean(program.pid)
    program.finish()
    return said, got


def totals(said, calls):
    """Calls of each function, those that other functions make included; callers come after their callees."""
    names = sorted(calls)
    total = {name: said[i][0] for i, name in enumerate(names)}
    for name in reversed(names):
        for callee in calls[name]:
            total[callee] += total[name]
    return total


def compare(path, calls, seed):
    plain, _ = run_once(path, seed, False)
    probed, (got, skipped, attached) = run_once(path, seed, True)
    names = sorted(calls)
    changed = [names[i] for i, (a, b) in enumerate(zip(plain, probed)) if a != b]
    equal(changed, [], f"functions whose results differ under probes (seed {seed})")
    wanted = totals(plain, calls)
    expect(attached > FUNCTIONS * 0.8, f"{attached} functions probed: the test proves little; skipped: {skipped}")
    timed = 0
    for name, entry in got.items():
        equal(entry["entries"], wanted[name], f"entries of {name} (seed {seed})")
        timed += not entry["counted"]
        if not entry["counted"]:
            equal(entry["calls"], wanted[name], f"calls of {name} (seed {seed})")
    missing = [name for name in names if wanted[name] and name not in got]
    expect(len(missing) == sum(skipped.values()), f"{missing} are missing, skipped: {skipped}")
    print(f"seed {seed}: {sum(wanted.values())} calls of {len(got)} functions, {timed} timed, skipped: {skipped}", flush=True)


def main():
    folder = temp_dir()
    for i in range(ROUNDS):
        seed = SEED + i
        path, calls = build(folder, seed, exits=i % ROUNDS == 1)
        compare(path, calls, seed)


run(main)
