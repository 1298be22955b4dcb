"""Heat map, callers and callees, slowest calls and calls in progress, against what the fixture counted and measured."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403
import schema

SITTERS, ROUNDS = 3, 200
EARLY_NS = 20000  # by how much a call may seem shorter than its own measurement: calibration and its noise
EXACT = [arg for glob in ("outer_*", "leaf", "other", "recurse", "slow", "sit_*", "jump_*") for arg in ("--exact", glob)]


def view(daemon, ids, name, kind):
    path = f"/functions_timing/{ids[name]}/{kind}"
    body = daemon.get(path)
    schema.check("GET", path, 200, body)
    equal((body["id"], body["function_name"]), (ids[name], name), f"function of {path}")
    return body


def check_edges(daemon, ids, wanted):
    def edges(name, side):
        body = view(daemon, ids, name, "edges")
        equal(body["edge_records"], body["calls"], f"calls of {name} with a caller edge")
        equal(body["left_out_records_all_functions"], 0, "records without room")
        for edge in body[side]:
            equal(edge["records"] if edge["id"] else 0, edge["of_calls"] if edge["id"] else 0, f"records in {edge}")
        # Callees may exceed 100 %: of calls this short, compensation takes almost all.
        if side == "callers" and body["edge_total_ns"]:
            within(sum(edge["percent"] for edge in body[side]), 99.99, 100.01, f"shares of the callers of {name}")
        return {edge["name"]: edge["calls"] for edge in body[side]}
    equal(edges("leaf", "callers"), {"outer_a": wanted["a_leaf"], "outer_b": wanted["b_leaf"]}, "callers of leaf")
    equal(edges("leaf", "callees"), {}, "callees of leaf")
    equal(edges("outer_a", "callees"), {"leaf": wanted["a_leaf"], "other": wanted["a_other"]}, "callees of outer_a")
    equal(edges("outer_b", "callees"), {"leaf": wanted["b_leaf"]}, "callees of outer_b")
    inside = wanted["recurse"] - wanted["recurse_top"]
    equal(edges("recurse", "callees"), {"recurse": inside}, "callees of recurse")
    callers = edges("recurse", "callers")
    equal(callers.pop("recurse"), inside, "recursive calls")
    equal(sum(callers.values()), wanted["recurse_top"], f"calls of recurse from outside: {callers}")


def check_slowest(daemon, ids, wanted):
    body = view(daemon, ids, "slow", "slowest")
    durations = [call["duration_ns"] for call in body["slowest"]]
    equal(len(durations), 20, "number of slowest calls")
    equal(durations, sorted(durations, reverse=True), "the slowest first")
    # d[i] lies between inner[i] and outer[i], so the k-th largest of d lies between theirs.
    for k, (low, high) in enumerate(zip(sorted(wanted["inner_ns"], reverse=True), sorted(wanted["outer_ns"], reverse=True))):
        if k < len(durations):
            within(durations[k], low - EARLY_NS, high, f"the slowest call but {k}")
    for call in body["slowest"]:
        expect(call["end_ns"] >= call["duration_ns"], f"it began before the profiler: {call}")
    equal(len(view(daemon, ids, "outer_a", "slowest")["slowest"]), 20, "slowest of outer_a")


def check_heatmap(daemon, ids, wanted):
    body = view(daemon, ids, "slow", "heatmap")
    bounds, slots = body["bounds_ns"], body["slots"]
    calls = len(wanted["inner_ns"])
    equal(sum(sum(slot["counts"]) for slot in slots), calls, "calls in the heat map")
    equal(sum(slot["records"] for slot in slots), calls, "records in the heat map")
    equal({len(slot["counts"]) for slot in slots}, {len(bounds) - 1}, "width of the heat map")
    equal([slot["start_ns"] for slot in slots], [i * body["slot_ns"] for i in range(len(slots))], "begin of the slots")
    below = 0
    for i, bound in enumerate(bounds[1:]):
        below += sum(slot["counts"][i] for slot in slots)
        within(below, sum(1 for ns in wanted["outer_ns"] if ns < bound),
               sum(1 for ns in wanted["inner_ns"] if ns - EARLY_NS < bound), f"calls shorter than {bound} ns")
    leaf = view(daemon, ids, "leaf", "heatmap")
    equal(sum(slot["records"] for slot in leaf["slots"]), wanted["a_leaf"] + wanted["b_leaf"], "leaf in the heat map")
    equal(sum(slot["lost_records_all_functions"] for slot in leaf["slots"]), daemon.status()["records"]["lost"], "lost records")


def flights(daemon):
    body = daemon.get("/functions_timing/in_flight")
    schema.check("GET", "/functions_timing/in_flight", 200, body)
    expect("failed" not in body, f"calls in progress cannot be read: {body}")
    return body


def named(body):
    return {entry["name"]: entry for entry in body["data"]}


def check_sitting(daemon, wanted):
    body = wait_until(lambda: (lambda b: "sit_inner" in named(b) and b)(flights(daemon)), what="calls in progress")
    found = named(body)
    for name in ("sit_outer", "sit_middle", "sit_inner"):
        equal(found[name]["in_flight"], SITTERS, f"calls of {name} in progress")
    longest = found["sit_inner"]["longest"]
    expect(longest["thread_id"] in wanted["sitters"], f"{longest} is in none of {wanted['sitters']}")
    equal([link["name"] for link in longest["chain"]], ["sit_outer", "sit_middle", "sit_inner"], "chain of sit_inner")
    elapsed = [link["elapsed_ns"] for link in longest["chain"]]
    equal(elapsed, sorted(elapsed, reverse=True), "an outer call runs longer")
    equal(elapsed[-1], longest["elapsed_ns"], "the chain ends in the call itself")
    # longjmp left jump_away without a return; its frame still lies below jump_base.
    equal(found["jump_base"]["in_flight"], 1, "calls of jump_base in progress")
    equal(found["jump_base"]["longest"]["thread_id"], wanted["jumper"], "thread of jump_base")
    expect("jump_away" not in found, "a call that longjmp has left is in progress")
    within(body["frames_left"], 1, 1, "frames that were left")
    for name in ("leaf", "outer_a", "recurse", "slow"):
        expect(name not in found, f"{name} is in progress")
    equal(body["threads"], SITTERS + 1 + ("main" in found), "threads in a call")
    later = wait_until(lambda: (lambda b: named(b)["sit_inner"]["longest"]["elapsed_ns"] > elapsed[-1] and b)(flights(daemon)),
                       what="a later reading")
    equal(named(later)["sit_inner"]["longest"]["thread_id"], longest["thread_id"], "the longest stays the longest")


def check_unknown(daemon):
    for kind in ("heatmap", "edges", "slowest"):
        for number in (0, 4294967295):
            path = f"/functions_timing/{number}/{kind}"
            answer = daemon.ask(path)
            equal(answer.status, 404, f"status of {path}")
            schema.check("GET", path, 404, answer.json())
        equal(daemon.ask(f"/functions_timing/x/{kind}").status, 404, f"status of x/{kind}")


def check_entry(daemon):
    """The members of list entries are texts; with ?raw=1 they have numbers beside them."""
    for query in ("", "?raw=1"):
        path = "/functions_timing" + query
        body = daemon.get(path)
        schema.check("GET", path, 200, body)
        slow = next(entry for entry in body["data"] if entry["name"] == "slow")
        expect(slow["first_call"] and slow["last_call"], f"no times in {slow}")
        if query:
            expect(slow["first_call_ns"] + slow["total_ns"] <= slow["last_call_ns"] + EARLY_NS, f"times of {slow}")


def main():
    fixture = Fixture("flight", SITTERS, ROUNDS)
    daemon = attach(fixture, *EXACT, "--domains", "functions", "--ring-size", 16384)
    equal(flights(daemon)["data"], [], "calls in progress before there are any")
    wanted = fixture.run()
    equal(daemon.settled()["records"]["lost"], 0, "records lost")
    entries = daemon.functions()
    ids = {name: entry["id"] for name, entry in entries.items()}
    check_edges(daemon, ids, wanted)
    check_slowest(daemon, ids, wanted)
    check_heatmap(daemon, ids, wanted)
    check_sitting(daemon, wanted)
    check_unknown(daemon)
    check_entry(daemon)
    equal(fixture.stop(), {"released": SITTERS}, "the second line of the fixture")
    wait_until(lambda: not {"sit_outer", "sit_inner", "jump_base"} & set(named(flights(daemon))), what="the end of all calls")
    equal(daemon.functions()["sit_inner"]["calls"], SITTERS, "finished calls of sit_inner")
    daemon.stop()
    check_clean(fixture.pid)
    fixture.finish()


run(main)
