"""Leaks: each one found, with the right stack, and nothing else: caches that fill, queues that swell and shrink, buffers that double, what is held
from the beginning, and blocks that the same function requests for somebody else. What is live by stack equals the program's own books."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
import schema  # noqa: E402
from harness import *  # noqa: E402,F403

LEAKS = {"lk_lost", "lk_slow"}
LOOKED_NS = 60e9  # the first verdict comes after 48 s


def get(daemon, path):
    body = daemon.get(path)
    schema.check("GET", path, 200, body)
    return body


def owner(stack):
    """lk_block() requests for its caller."""
    names = [frame["name"] for frame in stack["frames"]]
    return names[1] if names[0] == "lk_block" else names[0]


def suspects(daemon):
    return {owner(stack) for stack in get(daemon, "/heap?what=leaks&format=json")["stacks"]}


def main():
    fixture = Fixture("leaks")
    daemon = Daemon("--pid", fixture.pid, "--domains", "functions,alloc", "--functions", "lk_*", "--overhead", "100", "--alloc-period", "0")
    daemon.wait_ready()
    wait_until(lambda: daemon.get("/alloc")["mode"] == "exact", what="mode exact")
    fixture.go()
    wait_until(lambda: daemon.get("/alloc")["measured_ns"] > LOOKED_NS and suspects(daemon) == LEAKS, 100,
               "the leaks, and nothing else, a minute after the start")
    held = fixture.stop()
    wanted = {name: tuple(figures) for name, figures in held.items() if figures[0]}

    def live():
        got = {}
        for stack in get(daemon, "/heap?format=json")["stacks"]:
            count, size = got.get(owner(stack), (0, 0))
            got[owner(stack)] = (count + stack["count"], size + stack["bytes"])
        return {name: figures for name, figures in got.items() if name in held and figures[0]}
    try:
        wait_until(lambda: live() == wanted, what="all blocks")
    except AssertionError:
        equal(live(), wanted, "live blocks and bytes by function")
        raise
    equal(suspects(daemon), LEAKS, "suspects at the end")
    folded = daemon.ask("/heap?what=leaks&format=folded").body.decode().splitlines()
    equal({name for line in folded for name in LEAKS if name in line}, LEAKS, "leaks in folded stacks")
    equal(sum(int(line.rsplit(" ", 1)[1]) for line in folded), sum(wanted[name][1] for name in LEAKS), "bytes in folded stacks")
    daemon.stop()
    check_clean(fixture.pid)
    fixture.finish()


run(main)
