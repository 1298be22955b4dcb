"""Requests, bytes, failures, releases and live bytes equal the books that the programs keep themselves: each entry point of each
allocator (trap:A2), linked, preloaded or static, nested (trap:A1), by 1 and 8 threads."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403

LIBRARIES = "/usr/lib/x86_64-linux-gnu"
PRELOADED = {"jemalloc": "libjemalloc.so.2", "tcmalloc": "libtcmalloc_minimal.so.4", "mimalloc": "libmimalloc.so.2.0"}
# Fixture and the family that answers its requests.
FIXTURES_OF = (("entries", "glibc"), ("entries_static", "glibc"), ("entries_jemalloc", "jemalloc"),
               ("entries_tcmalloc", "tcmalloc"), ("entries_mimalloc", "mimalloc"), ("entries_musl", "musl"),
               ("entries_musl_static", "musl"), ("entriesxx", "C++"), ("entriesrust", "glibc"),
               ("entriesrust_wrapped", "glibc"))


def is_built(name):
    if os.path.exists(os.path.join(FIXTURES, name)):
        return True
    print(f"{name} was not built: its compiler or library is not installed")
    return False


def start(name, *args, preload=None, options=()):
    fixture = Fixture(name, *args, env={"LD_PRELOAD": preload} if preload else None)
    daemon = Daemon("--pid", fixture.pid, "--domains", "alloc", "--overhead", 100, *options)
    # "partial": of some function it is not known where it ends, which is said of it; the program does not call those.
    wait_until(lambda: daemon.get("/alloc?raw=1")["mode"] in ("exact", "partial"), what="probes")
    return fixture, daemon


def compare(daemon, wanted, what):
    """The program has printed its books and waits."""
    expected = {"requests": wanted["requests"], "requested_bytes": wanted["bytes"], "failed": wanted["failed"],
                "releases": wanted["releases"], "released_bytes": wanted["released"],
                "live_bytes": wanted["bytes"] - wanted["released"],
                "live_blocks": wanted["requests"] - wanted["releases"],
                "unknown_releases": 0, "missed": 0, "replaced_blocks": 0, "untracked_blocks": 0,
                "collected_blocks": 0}
    answers = []

    def matches():
        answers.append(daemon.get("/alloc?raw=1"))
        return {name: answers[-1][name] for name in expected} == expected
    try:
        wait_until(matches, limit=3)
    except AssertionError:
        equal({name: answers[-1][name] for name in expected}, expected, what)
    return answers[-1]


def one(name, family, *args, preload=None, options=()):
    fixture, daemon = start(name, *args, preload=preload, options=options)
    answer = compare(daemon, fixture.run(), f"{name} {args} with {preload}")
    expect(family in {entry["family"] for entry in answer["allocators"]},
           f"{name}: {family} is not among {answer['allocators']}")
    daemon.stop()
    check_clean(fixture.pid)
    fixture.finish()


def go():
    """Only requests: the collector gives back, by no function."""
    if not is_built("entriesgo"):
        return
    fixture, daemon = start("entriesgo", 2000)
    wanted = fixture.run()
    answer = wait_until(lambda: (lambda a: a["requests"] >= wanted["requests"] and a)(daemon.get("/alloc?raw=1")))
    equal(answer["requests"], wanted["requests"], "requests of Go")
    equal(answer["requested_bytes"], wanted["bytes"], "bytes of Go")
    equal(answer["live_bytes"], 0, "live bytes, which nobody can tell")
    daemon.stop()
    check_clean(fixture.pid)
    fixture.finish()


def pools():
    options = ("--allocator", "alloc=pool_get(size=3,count=2) free=pool_put(2) realloc=pool_grow(block=2,size=3)",
               "--allocator", "alloc=pool_store(block=2,size=3)")
    one("pools", "user", 1000, options=options)
    code, _, stderr = run_daemon("--pid", os.getpid(), "--allocator", "alloc=pool_get(size=0)", "--dry-run")
    equal(code, 2, "exit status with an allocator that makes no sense")
    expect("--allocator" in stderr and "numbered from 1" in stderr, f"no reason is said: {stderr}")


def main():
    for name, family in FIXTURES_OF:
        for threads in (1, 8):
            if is_built(name):
                one(name, family, threads, 100)
    for family, library in PRELOADED.items():
        path = os.path.join(LIBRARIES, library)
        if not os.path.exists(path):
            print(f"{library} is not installed")
            continue
        one("entries", family, 8, 100, "portable", preload=path)
        one("entriesxx", family, 8, 100, preload=path)
    go()
    pools()


run(main)
