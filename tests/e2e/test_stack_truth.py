"""User stacks without frame pointers are exactly what the program itself knows: C, C++ and Rust, gcc and clang, recursion,
500 frames, alloca, aligned and large frames, signal handlers on both stacks, prologues and epilogues, samples taken in the
kernel (trap:S6). A stack whose pages are not resident (trap:S3) is cut and says so."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403

MAX_USER_STACK = 127
SAMPLES = 150  # of each thread
SHARE = 0.995
VARIANTS = ["stacks_gcc", "stacks_clang", "stacks_gxx", "stacks_clangxx", "stacksrust"]


def plain(name):
    """Without parameters, module and the suffixes of clones."""
    name = re.sub(r"^[^\s:]*\.so[^\s:]*:", "", name)
    if name.endswith(")"):
        depth = 0
        for at in range(len(name) - 1, -1, -1):
            depth += (name[at] == ")") - (name[at] == "(")
            if depth == 0:
                name = name[:at]
                break
    return re.sub(r"::h[0-9a-f]{16}$", "", name)


def folded(daemon):
    """[(user frames, root first, count)]"""
    stacks = []
    for line in daemon.ask("/profile?type=cpu&format=folded&window=600").body.decode().splitlines():
        stack, count = line.rsplit(" ", 1)
        frames = [frame for frame in stack.split(";") if not frame.startswith("kernel:")]
        stacks.append(([plain(frame) for frame in frames], int(count)))
    return stacks


# A function that no other thread is in. Both signal handlers have one stack, as names go.
MARKS = {"plain": "plain", "recursion": "recursion", "deep": "recursion", "alloca": "unsized", "aligned": "aligned", "large": "large",
         "signal": "interrupted", "alternate": "interrupted", "calls": "calls", "method": "area",
         "kernel": "asking", "paged": "paged"}
DEEP = MAX_USER_STACK - 2  # frames that are compared


def scene_of(frames, truths):
    for name in truths:
        if any(frame.endswith(MARKS[name]) for frame in frames) and (len(frames) >= DEEP) == (name == "deep"):
            return name
    return None


def agrees(name, truth, frames):
    if name == "deep":
        return frames[-DEEP:] == truth[-DEEP:]
    if name == "paged":  # most pages of its frames are not there
        return 10 < len(frames) < len(truth) and frames == truth[-len(frames):]
    if name == "calls":
        start = frames.index("calls")
        return frames[start:] == truth[1:1 + len(frames) - start] and frames[start - 1] == truth[0]
    return len(frames) >= len(truth) and all(want in (got, "<signal>") for got, want in zip(frames[-len(truth):], truth))


def judge(daemon, truths):
    """By thread: samples in its loop, wrong ones, and their stacks. What cannot be told to be of a thread is wrong."""
    figures = {name: [0, 0, []] for name in list(truths) + ["none"]}
    for frames, count in folded(daemon):
        name = scene_of(frames, truths)
        if not frames[-1].split("::")[-1].startswith("burn") and name != "calls":
            continue  # before its loop
        figure = figures[name or "none"]
        figure[0] += count
        if not name or not agrees(name, truths[name], frames):
            figure[1] += count
            figure[2].append(frames)
    return figures


def check(variant, probes=False):
    """probes: its functions are timed, so return addresses on the stack are not what the program put there (trap:S2)."""
    if not os.path.exists(os.path.join(FIXTURES, variant)):
        print(f"{variant}: not built, its compiler is missing")
        return
    fixture = Fixture(variant)
    daemon = attach(fixture, "--domains", "cpu,functions" if probes else "cpu", "--exact", "*", "--cpu-hz", 999)
    wait_until(lambda: daemon.status()["unwind"]["files"] > 0, what="unwind tables")
    fixture.send("go")
    truths = fixture.result()
    figures = {}

    def enough():
        figures.update(judge(daemon, truths))
        return all(figures[name][0] >= SAMPLES for name in truths if name != "alternate")
    try:
        wait_until(enough, 60, what=f"samples of {variant}")
        if probes:
            calls = {plain(entry["name"]) for entry in daemon.get("/functions_timing/in_flight?raw=1")["data"]}
            expect({"plain", "middle", "burn", "recursion"} <= calls, f"calls in progress: {calls}")
    finally:
        for name, (total, bad, wrong) in figures.items():
            print(f"{variant:14} {name:10} {total:5} samples, {bad} wrong")
            for frames in wrong[:3]:
                print("   ", ";".join(frames[-12:]), "of", ";".join(truths.get(name, [])[-12:]))
    losses = daemon.status()["losses"]
    if "paged" in truths:
        expect(losses["cpu_stacks_unreadable"] >= SAMPLES, f"{variant}: {losses}")
        expect(losses["cpu_stacks_truncated"] >= SAMPLES, f"{variant}: {losses}")
    daemon.stop()
    fixture.close()
    for name, (total, bad, _) in figures.items():
        expect(bad <= (1 - SHARE) * max(total, SAMPLES), f"{variant} {name}: {bad} of {total} samples have another stack than the program")


def main():
    for variant in VARIANTS:
        check(variant)
    check("stacks_gcc", probes=True)
    check("stacks_gxx", probes=True)


run(main)
