"""The guard's ladder: what is sampled is estimated within its stated error, and what was dropped comes back when load
falls."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403
import budget
import schema


def rate(daemon, name):
    body = daemon.get("/governor")
    schema.check("GET", "/governor", 200, body, False)
    return next((row for row in body["data"] if row["name"] == name), None)


def samples(daemon):
    """Of the calls of `varied`: timed, all; (0, 0) as long as it is not an estimate."""
    words = daemon.functions().get("varied", {}).get("sampling", "").split()
    return (int(words[0]), int(words[2])) if words else (0, 0)


def sampled(fixture):
    fixture.send("cool")
    daemon = budget.attach_between(fixture, ["varied"], "--functions", "varied", "--domains", "functions")
    # On a busy machine the rate moves about the budget: sampled for a while, timed or dropped for another.
    wait_until(lambda: (lambda timed, calls: timed >= 300 and calls - timed >= 1000)(*samples(daemon)), 90, "300 samples")
    entry = daemon.functions()["varied"]
    error = float(re.search(r"error of total ([0-9.]+) %$", entry["sampling"]).group(1)) / 100
    daemon.stop()
    counted = fixture.stop()
    mean = counted["varied_ns"] / counted["varied"]
    # The bodies are drawn alike all the time, so their mean is known; 2 us for what the probe adds, calibrated or not.
    within(entry["avg_ns"], mean * (1 - 4 * error) - 2000, mean * (1 + 4 * error) + 2000,
           f"estimated mean with a standard error of {error * 100:.2f} %")


def dropped_and_back(fixture):
    daemon = attach(fixture, "--domains", "functions", "--functions", "bursting*")
    wait_until(lambda: {d["name"] for d in daemon.get("/functions_timing")["dropped"]} == {"bursting", "bursting_too"},
               what="the drop")
    frozen = daemon.functions().get("bursting", {"calls": 0})["calls"]
    fixture.send("cool")
    # A pause of five seconds, a calm while, a try; then ten calm windows for full timing.
    wait_until(lambda: daemon.get("/functions_timing")["dropped"] == [], 60, "the return of bursting")
    wait_until(lambda: daemon.functions().get("bursting", {"calls": 0})["calls"] > frozen + 100, what="100 more calls")
    wait_until(lambda: (lambda row: row and row["level"] == "timed")(rate(daemon, "bursting")), what="bursting to be timed")
    equal(daemon.status()["probes"]["dropped"], 0, "dropped functions in the status")
    if tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 13):  # one session for both, not one for each: a link takes milliseconds to come and to go
        equal(links(daemon.pid, "uprobe_multi"), 1, "links of the functions that came back together")
    expect("unprobed" in daemon.functions()["bursting"], "the entry does not say that it was not probed for a while")
    daemon.stop()
    check_clean(fixture.pid)
    fixture.stop()


def main():
    for scene in (sampled, dropped_and_back):
        fixture = Fixture("paced")
        fixture.go()
        scene(fixture)
        fixture.finish()


run(main)
