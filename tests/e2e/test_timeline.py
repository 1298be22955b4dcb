"""GET /timeline against a fixture's own clocks: every scene in its place, every timed call once, who woke whom, nothing left."""
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
import schema  # noqa: E402
from harness import *  # noqa: E402,F403

SECONDS = 2
WAITS = {"sleep": "blocked: sleep", "lock": "blocked: lock", "pipe": "blocked: pipe"}


def overlap(slices, start, end, name):
    """Microseconds of @start to @end in slices of @name."""
    return sum(min(end, s["ts"] + s["dur"]) - max(start, s["ts"]) for s in slices
               if s["name"] == name and s["ts"] < end and s["ts"] + s["dur"] > start)


def check_states(states, data, names):
    """Of each thread that is there all the time, states follow each other without gap, and add up."""
    for tid in names:
        slices = sorted((s for s in states if s["tid"] == tid), key=lambda s: s["ts"])
        for before, after in zip(slices, slices[1:]):
            within(after["ts"] - before["ts"] - before["dur"], -0.002, 0.002, f"us between two states of {names[tid]}")
        within(sum(s["dur"] for s in slices), data["duration_ns"] / 1000 - 1, data["duration_ns"] / 1000 + 1,
               f"us in the states of {names[tid]}")


def check_scene(states, partner, scene):
    name, start, end, cpu = scene
    running = overlap(states, start, end, "running")
    whole = sum(overlap(states, start, end, n) for n in {s["name"] for s in states})
    within(whole, (end - start) - 1, (end - start) + 1, f"us of all states in {name}")
    # The thread's own CPU clock leaves out what interrupts and the host took meanwhile, and ends a little outside of the scene's clock.
    within(running, cpu / 1000 * 0.98 - 300, end - start, f"us on a CPU in {name}")
    if name == "burn":
        equal(overlap(states, start, end, "running") + overlap(states, start, end, "runnable"), whole, "us on a CPU or in its queue")
    if name in WAITS:
        queue = overlap(states, start, end, "runnable")
        within(overlap(states, start, end, WAITS[name]), (end - start - queue) * 0.98 - cpu / 1000 - 300, end - start - queue,
               f"us blocked in {name}")
    if name in ("lock", "pipe"):
        last = [s for s in states if s["name"] == WAITS[name] and start <= s["ts"] < end][-1]
        equal(last["args"].get("by_tid"), partner, f"who ended the {name} scene")


def calls_of(events, name, inside):
    return [e for e in events if e["ph"] == "X" and e["cat"] == "call" and e["name"] == name and inside(e["ts"], e["ts"] + e["dur"])]


def check_calls(events, scenes):
    """Each outer call has its bar once, at its place, and in it three inner ones."""
    for _, start, end, _ in scenes:
        outer = calls_of(events, "scene_outer", lambda a, b: a < end and b > start)
        equal(len(outer), 1, "bars of one call of scene_outer")
        within(outer[0]["ts"], start - 1500, start, "us of its beginning")
        within(outer[0]["ts"] + outer[0]["dur"], end, end + 1500, "us of its end")
        inner = calls_of(events, "scene_inner", lambda a, b: a >= outer[0]["ts"] and b <= outer[0]["ts"] + outer[0]["dur"])
        equal(len(inner), 3, "bars of scene_inner in one of scene_outer")
        equal({e["tid"] for e in inner}, {outer[0]["tid"]}, "their track")


def check_flows(events, actor, partner, rounds):
    """The partner wakes the actor twice a round, and arrows begin and end in slices of theirs."""
    starts = {e["id"]: e for e in events if e["ph"] == "s"}
    ends = {e["id"]: e for e in events if e["ph"] == "f"}
    equal(starts.keys(), ends.keys(), "ids of arrows")
    between = [i for i in starts if starts[i]["tid"] == partner and ends[i]["tid"] == actor]
    expect(len(between) >= 2 * rounds, f"{len(between)} arrows from the partner to the actor in {rounds} rounds")


def record(daemon):
    answer = daemon.ask(f"/timeline?seconds={SECONDS}")
    equal(answer.status, 200, f"status of /timeline: {answer.body[:200]}")
    schema.check("GET", "/timeline", 200, answer.json())
    return answer.json()


def truth():
    fixture = Fixture("scenes")
    daemon = attach(fixture, "--functions", "scene_*", "--overhead", "100", "--domains", "functions,timeline")
    fixture.go()
    before = links(daemon.pid, "raw_tracepoint")
    body = record(daemon)
    equal(links(daemon.pid, "raw_tracepoint"), before, "links, when nobody records")
    want = fixture.stop()
    data, events = body["otherData"], body["traceEvents"]
    losses = data["losses"]
    # Of a few switches the kernel does not tell (docs/offcpu.md); that is seen and said.
    for unseen in "transitions_missed", "wakes_unseen":
        within(losses.pop(unseen), 0, max(2, 0.03 * data["states"]), unseen)
    equal(sum(losses.values()), 0, f"losses {losses}")
    equal(data["unknown_ns"], 0, "time of which nothing is known")
    states = [e for e in events if e["ph"] == "X" and e["cat"] == "state"]
    check_states(states, data, {want["actor"]: "the actor", want["partner"]: "the partner", fixture.pid: "main"})
    begin, end = data["start_monotonic_ns"], data["start_monotonic_ns"] + data["duration_ns"]
    scenes = [(n, (a - begin) / 1000, (b - begin) / 1000, cpu) for n, a, b, cpu in want["scenes"] if a > begin and b < end - 2000000]
    expect(len(scenes) > 50, f"only {len(scenes)} scenes in the recording")
    own = [s for s in states if s["tid"] == want["actor"]]
    for scene in scenes:
        check_scene(own, want["partner"], scene)
    outer = [s for s in scenes if s[0] == "outer"]
    check_calls(events, outer)
    check_flows(events, want["actor"], want["partner"], len(outer) - 2)
    daemon.stop()
    check_clean(fixture.pid)
    fixture.finish()


def limits():
    """As many at a time as may be; the others are told so, and everybody else is served."""
    fixture = Fixture("scenes")
    daemon = attach(fixture, "--domains", "timeline")
    fixture.go()
    answers = []
    askers = [threading.Thread(target=lambda: answers.append(daemon.ask(f"/timeline?seconds={SECONDS}"))) for _ in range(4)]
    for asker in askers:
        asker.start()
    wait_until(lambda: any(a.status == 429 for a in answers), what="a refusal")
    equal(daemon.ask("/profiler_status").status, 200, "status while timelines are recorded")
    for asker in askers:
        asker.join()
    expect("ask again" in next(a for a in answers if a.status == 429).json()["error"], "the refusal does not say what to do")
    expect(any(a.status == 200 for a in answers), "no timeline was recorded")
    for query, what in (("seconds=0", "whole number"), ("seconds=61", "whole number"), ("seconds=x", "whole number"),
                        ("window=5", "from now on")):
        answer = daemon.ask(f"/timeline?{query}")
        equal(answer.status, 400, query)
        expect(what in answer.json()["error"], f"{query}: {answer.json()['error']}")
    fixture.stop()
    daemon.stop()
    fixture.finish()


def ends_early():
    """The target ends while it is recorded: what there was is answered."""
    fixture = Fixture("scenes")
    daemon = attach(fixture, "--domains", "timeline")
    fixture.go()
    before, answers = links(daemon.pid, "raw_tracepoint"), []
    asker = threading.Thread(target=lambda: answers.append(daemon.ask("/timeline?seconds=30")))
    asker.start()
    wait_until(lambda: links(daemon.pid, "raw_tracepoint") > before, what="the recording")
    fixture.stop()
    fixture.finish()
    asker.join()
    expect(answers[0].status in (200, 503), f"status {answers[0].status} of a recording whose target ended")
    daemon.wait()


def main():
    truth()
    limits()
    ends_early()


run(main)
