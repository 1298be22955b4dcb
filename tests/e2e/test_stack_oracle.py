"""The walk through user stacks, compiled for user space, finds what the unwinder of elfutils finds on the same registers and memory.

python3 test_stack_oracle.py [redis|postgres|sqlite|node|git|rust]... [SAMPLES]: default all, 300 samples each. Threads of programs
that we did not write are stopped again and again; at least 99 % of the stacks must be equal, frame by frame.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403
import programs  # noqa: E402

WALKER = os.path.join(os.path.dirname(FIXTURES), "tests", "bpfhost", "bpfhost_stacks")
SHARE = 0.99


def rust():
    path = os.path.join(FIXTURES, "stacksrust")
    if not os.path.exists(path):
        skip("rustc is not installed")
    fixture = Fixture("stacksrust")
    fixture.go()
    fixture.result()
    return fixture.pid, [fixture]


PROGRAMS = {"redis": programs.redis, "postgres": programs.postgres, "sqlite": programs.sqlite, "node": programs.node,
            "git": programs.git, "rust": rust}


def check(name, samples):
    try:
        pid, processes = PROGRAMS[name]()
    except Skip as reason:
        print(f"{name}: not compared: {reason}")
        return 0
    done = subprocess.run([WALKER, str(pid), str(samples)], capture_output=True, text=True, check=False)
    for process in processes:
        process.child.kill()
        process.wait()
    equal(done.returncode, 0, f"exit status of {WALKER} on {name}: {done.stderr}")
    figures = json.loads(done.stdout)
    print(name, figures, done.stderr)
    expect(figures["samples"] >= samples * 0.9, f"only {figures['samples']} samples of {name}")
    expect(figures["equal"] >= SHARE * figures["samples"], f"stacks of {name} differ: {figures}")
    return figures["samples"]


def main():
    names = [word for word in sys.argv[1:] if not word.isdigit()] or list(PROGRAMS)
    samples = next((int(word) for word in sys.argv[1:] if word.isdigit()), 300)
    compared = sum(check(name, samples) for name in names)
    expect(compared > 0, "nothing was compared")


run(main)
