"""Go (trap:U4): goroutines whose stacks move and that change threads are counted exactly, timed, and not harmed."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403
import schema

GOROUTINES = 10000


def bare(name):
    """Go's own table has [...] for the types in brackets."""
    return re.sub(r"\[.*\]", "[...]", name)


def figures(daemon):
    got = {}
    for name, entry in daemon.functions().items():
        entries, calls = got.get(bare(name), (0, 0))
        got[bare(name)] = (entries + int(entry.get("entries", entry["calls"])), calls + entry["calls"])
    return got


def check_losses(losses):
    """The kernel may have had no memory for a moment; that would be said, and is not expected."""
    for name in ("shadow_stack_full", "goroutine_stacks_full", "goroutines_unknown", "returns_unmatched"):
        equal(losses[name], 0, f"{name} of {losses}")


def counts(program):
    fixture = Fixture(program, GOROUTINES, 1)
    daemon = attach(fixture, "--exact", "main.*", "--domains", "functions")
    counted = fixture.run()
    equal(counted["wrong"], 0, f"wrong results of {program}")
    losses = daemon.settled()["losses"]
    got = figures(daemon)
    for name, (entries, left) in counted["functions"].items():
        # All of whose calls were left is not in the list, as no call of it has finished.
        if entries == left:
            expect(name not in got or got[name][1] == 0, f"calls of {name}, which never returns: {got.get(name)}")
        else:
            equal(got.get(name), (entries, entries - left), f"entries and calls of {name} in {program}")
    check_losses(losses)
    # Frames that panics and Goexit left; the last of a goroutine's are dropped by its successor, if there is one.
    left = sum(left for _, left in counted["functions"].values())
    within(losses["exits_skipped"], 1, left + GOROUTINES, f"skipped exits in {losses}")
    daemon.stop()
    check_clean(fixture.pid)
    fixture.finish()


def server():
    """Durations against the server's own clock; every request counted."""
    fixture = Fixture("goserver", 100, 20)
    daemon = attach(fixture, "--exact", "main.(*site).ServeHTTP", "--exact", "main.spin", "--exact", "main.rest", "--exact",
                    "main.deep", "--functions", "net/http.(*conn).serve", "--functions", "encoding/json.*")
    counted = fixture.run()
    equal(counted["failed"], 0, "failed requests")
    losses = daemon.settled()["losses"]
    equal((losses["goroutine_stacks_full"], losses["goroutines_unknown"]), (0, 0), f"goroutines in {losses}")
    got = daemon.functions()
    equal(got["main.(*site).ServeHTTP"]["calls"], counted["handle"], "requests")
    equal(got["main.deep"]["calls"], (counted["handle"] - counted["busy"] - counted["sleeps"]) * 41, "calls of deep")
    floor = {"busy": 2e6, "sleeps": 20e6}
    fixture.send("pace")
    paced = fixture.result()
    daemon.settled()
    for name, key in (("main.spin", "busy"), ("main.rest", "sleeps")):
        equal(got[name]["calls"], counted[key], f"calls of {name}")
        within(paced[f"{key}_ns"] / 50, floor[key], 10 * floor[key], f"the fixture's own time for {name}")
        total = daemon.functions()[name]["total_ns"] - got[name]["total_ns"]
        within(total, paced[f"{key}_ns"] * 0.98, paced[f"{key}_ns"] * 1.02, f"time in {name}")
    # All that is probed in a handler is accounted for in its self time.
    handler = got["main.(*site).ServeHTTP"]
    expect(handler["self_ns"] < handler["total_ns"] - got["main.rest"]["total_ns"] * 0.98, f"self time: {handler}")
    daemon.stop()
    check_clean(fixture.pid)
    fixture.finish()


def flights(daemon):
    body = daemon.get("/functions_timing/in_flight")
    schema.check("GET", "/functions_timing/in_flight", 200, body)
    return {row["name"]: row for row in body["data"]}, body


def in_flight():
    """Calls in progress, by goroutine."""
    fixture = Fixture("goserver")
    daemon = attach(fixture, *[word for name in ("sitOuter", "sitInner", "sitFallen", "fall", "caught")
                               for word in ("--exact", "main." + name)], "--functions", "main.caught", "--domains", "functions")
    equal(flights(daemon)[0], {}, "calls in progress before there are any")
    fixture.send("sit")
    sitting = fixture.result()["sitting"]
    wanted = {"main.sitOuter": sitting, "main.sitInner": sitting, "main.sitFallen": sitting}
    found, body = wait_until(lambda: (lambda f: "main.sitInner" in f[0] and f)(flights(daemon)), what="calls in progress")
    equal({name: row["in_flight"] for name, row in found.items()}, wanted, f"calls in progress, of {body}")
    equal((body["threads"], body["calls"]), (2 * sitting, 3 * sitting), f"all in all: {body}")
    expect("failed" not in body, f"said to fail: {body}")
    longest = found["main.sitInner"]["longest"]
    equal([link["name"] for link in longest["chain"]], ["main.sitOuter", "main.sitInner"], "the calls around")
    equal(longest["thread_id"], 0, "a goroutine's thread")
    expect(longest["chain"][0]["elapsed_ns"] >= longest["chain"][1]["elapsed_ns"] > 0, f"times of {longest}")
    equal(daemon.functions()["main.caught"].get("in_flight"), None, "calls of main.caught in progress")
    later = wait_until(lambda: (lambda f: f["main.sitInner"]["longest"]["elapsed_ns"] > longest["elapsed_ns"] and f)(
        flights(daemon)[0]), what="longer calls")
    equal(later["main.sitInner"]["in_flight"], sitting, "calls in progress later")
    fixture.send("rise")
    fixture.result()
    wait_until(lambda: not set(wanted) & set(flights(daemon)[0]), what="the end of all calls")
    equal(daemon.functions()["main.sitInner"]["calls"], sitting, "finished calls")
    daemon.stop()
    # What a panic left, with no later call to tell: below where its goroutine waits now it is recognised.
    daemon = attach(fixture, "--exact", "main.sitFallen", "--exact", "main.fall", "--functions", "main.fall", "--domains", "functions")
    fixture.send("sit")
    fixture.result()
    found, body = wait_until(lambda: (lambda f: "main.sitFallen" in f[0] and f)(flights(daemon)), what="calls in progress")
    equal(found["main.sitFallen"]["in_flight"], sitting, "calls in progress beside what a panic left")
    expect(body["frames_left"] > 40 * sitting, f"of 51 frames each that a panic left too few are known to be over: {body}")
    fixture.send("rise")
    fixture.result()
    daemon.stop()
    check_clean(fixture.pid)
    fixture.finish()


def default():
    """What is probed without being named, and what is not: the runtime, and everything that runs without a goroutine."""
    fixture = Fixture("gocount", 10, 1)
    code, out, err = run_daemon("--dry-run", "--pid", fixture.pid)
    equal(code, 0, f"exit status, stderr {err}")
    rows = {line.split("\t")[0]: line.split("\t")[3] for line in out if not line.startswith("#")}
    expect("by goroutine" in rows["main.grow"] and "emulated" in rows["main.grow"], rows["main.grow"])
    expect("by goroutine" in rows["main.leaf"], rows["main.leaf"])
    expect(rows["runtime.gopark"].startswith("skipped"), rows["runtime.gopark"])
    expect(not any("return probe" in row for row in rows.values()), "a return probe in a Go program")
    code, out, err = run_daemon("--dry-run", "--pid", fixture.pid, "--functions", "runtime.casgstatus", "--functions",
                                "runtime.morestack*")
    rows = {line.split("\t")[0]: line.split("\t")[3] for line in out if not line.startswith("#")}
    expect("counted, not timed" in rows["runtime.casgstatus"], rows)
    expect(all(row.startswith("skipped") for name, row in rows.items() if "morestack" in name), rows)
    fixture.finish()


def main():
    default()
    counts("gocount")
    counts("gocount_stripped")
    server()
    in_flight()


run(main)
