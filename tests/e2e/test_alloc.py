"""The domain alloc against the books that a program keeps itself: totals, per thread, per function (exclusive and cumulative), live blocks by
stack, the change between two moments, leaks; blocks from before we attached (trap:A3), a full table, and a target that asks too often (trap:A4)."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
import schema  # noqa: E402
from harness import *  # noqa: E402,F403

OPTIONS = ("--domains", "functions,alloc,threads", "--functions", "al_*", "--overhead", "100")


def get(daemon, path):
    body = daemon.get(path)
    schema.check("GET", path, 200, body)
    return body


def start(*args, options=(), env=None):
    fixture = Fixture("allocs", *args)
    daemon = Daemon("--pid", fixture.pid, *OPTIONS, *options, env=env)
    daemon.wait_ready()
    wait_until(lambda: daemon.get("/alloc")["mode"] == "exact", what="mode exact")
    return fixture, daemon


def settled(daemon, wanted):
    """Everything that the program did has been counted: its last release."""
    return wait_until(lambda: (lambda a: a["releases"] >= wanted["releases"] and a)(daemon.get("/alloc")), what="all releases")


def totals(threads, *options, env=None):
    fixture, daemon = start(threads, 50, options=options, env=env)
    wanted = fixture.run()
    settled(daemon, wanted)
    got = get(daemon, "/alloc")
    for name, key in (("requests", "requests"), ("requested_bytes", "bytes"), ("failed", "failed"), ("releases", "releases"),
                      ("released_bytes", "released"), ("unknown_releases", "unknown")):
        equal(got[name], wanted[key], f"{name} of {threads} threads {options}")
    equal(got["live_bytes"], wanted["bytes"] - wanted["released"], "live bytes")
    equal((got["missed"], got["untracked_blocks"], got["replaced_blocks"]), (0, 0, 0), "what was not seen")
    return fixture, daemon, wanted


def functions(daemon, wanted):
    """Of calls with figures: everything was recorded, or the sums are exact anyway."""
    def rows():
        found = {row["name"]: row for row in daemon.get("/functions_alloc?raw=1")["data"]}
        return all(found.get(n, {"calls": 0})["calls"] >= w["calls"] for n, w in wanted.items() if w["calls"]) and found
    found = wait_until(rows, what="all calls")
    for name, want in wanted.items():
        if want["calls"]:
            row = found[name]
            equal((row["calls"], row["requests"], row["bytes"]), (want["calls"], want["requests"], want["bytes"]), f"figures of {name}")
    body = get(daemon, "/functions_alloc")
    get(daemon, "/functions_alloc?raw=1")
    first = body["data"][0]
    logs = get(daemon, f"/functions_alloc/{first['id']}/logs")
    get(daemon, f"/functions_alloc/{first['id']}/logs?raw=1")
    equal(logs["function_name"], first["name"], "whose log it is")
    timing = {row["id"]: row["name"] for row in daemon.get("/functions_timing")["data"]}
    equal(timing.get(first["id"]), first["name"], "the id on both routes")


def threads_of(daemon, wanted):
    body = get(daemon, "/threads?raw=1")
    get(daemon, "/threads")
    rows = {row["os_tid"]: row for row in body["data"]}
    for want in wanted["threads"]:
        row = rows[want["tid"]]
        equal((row["alloc_bytes_bytes"], row["dealloc_bytes_bytes"]), (want["bytes"], want["released"]), f"thread {want['tid']}")
        equal(row["mem_diff_bytes"], want["bytes"] - want["released"], "its difference")
    by_bytes = [row["alloc_bytes_bytes"] for row in body["data"]]
    equal(by_bytes, sorted(by_bytes, reverse=True), "order of threads")


def exact(count, *options, env=None):
    fixture, daemon, wanted = totals(count, *options, env=env)
    note = get(daemon, "/alloc")["note"]
    equal("children" in (note or ""), "--follow-forks" in options, f"children in the note {note!r}")
    functions(daemon, wanted["functions"])
    threads_of(daemon, wanted)
    daemon.stop()
    check_clean(fixture.pid)
    fixture.finish()


def heap():
    """Each request drawn: live blocks by stack, and what came between two moments."""
    fixture, daemon, wanted = totals(2, "--alloc-period", "0", "--ring-size", "4096")
    kept = wanted["functions"]["al_kept"]

    def whole():
        body = daemon.get("/heap?format=json")
        return body["totals"]["requested"]["count"] == wanted["requests"] and body["totals"]["live"]["bytes"] == kept["bytes"] and body
    body = wait_until(whole, what="all blocks")
    schema.check("GET", "/heap", 200, body)
    equal(body["totals"]["requested"]["bytes"], wanted["bytes"], "bytes requested in all stacks")
    equal(body["totals"]["released"]["bytes"], wanted["released"], "bytes released")
    equal(sum(body["losses"].values()), 0, "losses")
    equal((body["note"], body["live_is_upper_bound"]), (None, False), "doubts")
    for stack in body["stacks"]:
        names = [frame["name"] for frame in stack["frames"]]
        equal(names[0], "al_kept", f"who holds memory: {names}")
        equal(stack["function"], "al_kept", "the timed function around it")
    equal(sum(stack["count"] for stack in body["stacks"]), kept["requests"], "blocks held")
    diff = get(daemon, "/heap/diff?a=600&b=0&format=json")
    equal(diff["bytes_change"], kept["bytes"], "bytes more than before anything was done")
    folded = daemon.ask("/heap?what=allocated&format=folded").body.decode()
    equal(sum(int(line.rsplit(" ", 1)[1]) for line in folded.splitlines()), wanted["bytes"], "bytes of all folded stacks")
    for path in ("/debug/pprof/heap", "/debug/pprof/allocs"):
        answer = daemon.ask(path)
        equal((answer.status, answer.body[:2]), (200, b"\x1f\x8b"), path)
    for query in ("what=x", "format=x", "window=x"):
        equal(daemon.ask(f"/heap?{query}").status, 400, query)
    daemon.stop()
    fixture.finish()


def estimates():
    """One sampling point in 500 bytes: within four of its standard errors."""
    fixture, daemon, wanted = totals(8, "--alloc-period", "500", "--ring-size", "4096")
    seen = []

    def at_rest():
        """The same for half a second; records are counted a tenth of a second after they come."""
        seen.append(daemon.get("/heap?what=allocated&format=json"))
        same = [body for body in seen if body["totals"] == seen[-1]["totals"]]
        return same[-1]["observed_ns"] - same[0]["observed_ns"] > 500000000 and seen[-1]
    body = wait_until(at_rest, what="an end of records")
    got = body["totals"]["requested"]
    equal(body["losses"]["records_lost"], 0, "records lost")
    error = got["bytes_standard_error"]
    within(got["bytes"], wanted["bytes"] - 4 * error - 1, wanted["bytes"] + 4 * error + 1, f"estimate of bytes, standard error {error}")
    expect(error < wanted["bytes"] / 4, f"a standard error of {error} says nothing of {wanted['bytes']} bytes")
    daemon.stop()
    fixture.finish()


def full():
    """A table of 16 blocks: what has no room is said, and nothing is negative."""
    fixture = Fixture("allocs", 1, 40)
    daemon = attach(fixture, *OPTIONS, "--alloc-blocks", "16")
    wait_until(lambda: daemon.get("/alloc")["mode"] == "exact", what="mode exact")
    wanted = fixture.run()
    got = settled(daemon, wanted)
    equal((got["requests"], got["requested_bytes"]), (wanted["requests"], wanted["bytes"]), "requests")
    expect(got["untracked_blocks"] > 0 and got["live_blocks"] <= 16, f"no room: {got}")
    equal(got["live_bytes"] + got["released_bytes"] + got["untracked_bytes"], wanted["bytes"], "each byte is somewhere")
    daemon.stop()
    fixture.finish()


def cumulative():
    fixture, daemon, wanted = totals(1, "--alloc-cumulative", "--alloc-mode", "count")
    body = get(daemon, "/functions_alloc")
    equal(body["profiling_mode"], "alloc-count", "mode")
    rows = {row["name"]: row for row in daemon.get("/functions_alloc?raw=1")["data"]}
    inner, outer = wanted["functions"]["al_inner"], wanted["functions"]["al_outer"]
    equal(rows["al_outer"]["requests"], outer["requests"] + inner["requests"], "requests of al_outer with those of al_inner")
    daemon.stop()
    fixture.finish()


def guard():
    """A target that asks all the time: the probes go, all answers say why, and it runs as before (trap:A4)."""
    fixture = Fixture("allocs", 2, 1000000000)
    fixture.go()
    daemon = attach(fixture, "--domains", "functions,alloc,threads", "--functions", "al_nothing")
    body = wait_until(lambda: (lambda a: a["mode"] == "stopped" and a)(daemon.get("/alloc")), what="the guard")
    schema.check("GET", "/alloc", 200, body)
    expect("no longer measured" in body["note"] and "--overhead allows 3.0 %" in body["note"], f"note: {body['note']}")
    expect(any("no longer measured" in note for note in daemon.status()["notes"]), "the status does not say so")
    heap_body = get(daemon, "/heap?format=json")
    expect("no longer measured" in heap_body["note"] and heap_body["live_is_upper_bound"], "/heap does not say so")
    wait_until(lambda: not changed_text(fixture.pid), what="the end of breakpoints")
    expect(fixture.alive(), "the program is gone")
    daemon.stop()
    check_clean(fixture.pid)
    fixture.child.kill()
    fixture.close()


def off():
    fixture = Fixture("allocs", 1, 1)
    daemon = attach(fixture)
    for path in ("/functions_alloc", "/heap", "/alloc", "/debug/pprof/heap"):
        expect("alloc in --domains" in daemon.get(path, status=404)["error"], f"{path} does not say how to turn it on")
    daemon.stop()
    fixture.finish()


def main():
    off()
    exact(1)
    exact(8)
    exact(2, "--ring-size", "4", "--follow-forks")
    exact(4, env={"HOTPATHD_NO_SESSIONS": "1"})  # kernels before 6.13
    heap()
    estimates()
    full()
    cumulative()
    guard()


run(main)
