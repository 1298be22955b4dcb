"""--dry-run prints function, module, address, site and class or the reason, and touches nothing."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403


def symbols(path):
    out = subprocess.run(["nm", "-C", "--defined-only", path], capture_output=True, text=True, check=True).stdout
    return {line.split(" ", 2)[2]: int(line.split()[0], 16) for line in out.splitlines() if line.split()[1] in "Tt"}


def plan(*args):
    code, out, err = run_daemon("--dry-run", *args)
    equal(code, 0, f"exit status of --dry-run, stderr {err}")
    rows = [line.split("\t") for line in out if not line.startswith("#")]
    for row in rows:
        equal(len(row), 4, f"columns of {row}")
    return {row[0]: row[1:] for row in rows}, [line for line in out if line.startswith("#")]


def main():
    fixture = Fixture("calls", 1, 1)
    rows, heads = plan("--pid", fixture.pid)
    wanted = symbols(fixture.path)
    for name in ("work_a", "work_b", "work_inner", "work_outer", "main"):
        expect(name in rows, f"{name} is not in the plan: {sorted(rows)}")
        equal(rows[name][0], "calls", f"module of {name}")
        equal(int(rows[name][1], 16), wanted[name], f"address of {name}")
        expect("skipped" not in rows[name][2], f"{name}: {rows[name][2]}")
    expect("emulated" in rows["work_outer"][2], f"work_outer begins with a push: {rows['work_outer'][2]}")
    expect(rows["_start"][2].startswith("skipped: "), f"_start: {rows['_start'][2]}")
    expect(any(str(len(rows)) in head for head in heads), f"no line gives the number of functions: {heads}")
    equal(changed_text(fixture.pid), [], "breakpoints after --dry-run")
    rows, _ = plan("--pid", fixture.pid, "--functions", "work_*", "--exclude", "/_b$/", "--exact", "work_inner")
    equal(sorted(rows), ["work_a", "work_inner", "work_outer"], "functions by pattern")
    expect("exact" in rows["work_inner"][2], f"work_inner: {rows['work_inner'][2]}")
    fixture.finish()
    traps = Fixture("nop5")
    rows, _ = plan("--pid", traps.pid)
    for name in ("lock_entry", "cs_nop_entry"):  # trap:U3
        expect(not rows[name][2].startswith("+0 "), f"{name} would be probed at its prefix: {rows[name]}")
    expect(not rows["n5_inside"][2].startswith("+10 "),
           f"n5_inside would be probed at a 5-byte nop behind the red zone (trap:U2): {rows['n5_inside']}")
    traps.finish()
    ifunc = Fixture("ifunc")
    rows, _ = plan("--pid", ifunc.pid, "--functions", "fx_*")
    expect(rows["fx_chosen"][2].startswith("skipped: ") and "IFUNC" in rows["fx_chosen"][2], f"fx_chosen: {rows['fx_chosen']}")
    expect("skipped" not in rows["fx_impl"][2], f"fx_impl: {rows['fx_impl']}")
    ifunc.finish()


run(main)
