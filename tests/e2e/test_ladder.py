"""The guard's ladder: what is sampled is estimated within its stated error, and what was dropped comes back when load
falls."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403
import schema


def rate(daemon, name):
    body = daemon.get("/governor")
    schema.check("GET", "/governor", 200, body, False)
    return next((row for row in body["data"] if row["name"] == name), None)


def costs(body, hits_per_sec):
    """Of `varied`, in percent of the target's CPU time: timed, sampled; by this daemon's own prices."""
    price, cpus = body["prices"]["emulated"], max(body["target_cpus"], 0.25)
    sampled = price["counted_ns"] + (price["timed_ns"] - price["counted_ns"]) / 16
    return hits_per_sec * price["timed_ns"] / 1e7 / cpus, hits_per_sec * sampled / 1e7 / cpus


def attach_between(fixture):
    """A daemon with an --overhead at which `varied` is too dear timed and cheap enough sampled. Prices are calibrated at
    each start and differ by a third on a busy machine, so a budget is tried until it fits the prices that it met."""
    budget, hits_per_sec = 100, None
    for _ in range(10):
        daemon = attach(fixture, "--functions", "varied", "--domains", "functions", "--overhead", f"{budget:.3f}")
        if hits_per_sec is None:
            row = wait_until(lambda: (lambda row: row and row["hits_per_sec"] > 500 and row)(rate(daemon, "varied")),
                             what="the rate of varied")
            equal(row["level"], "timed", "level with a budget of 100 %")
            hits_per_sec = row["hits_per_sec"]
        else:
            wait_until(lambda: daemon.get("/governor")["target_cpus"] > 0.1, what="a window")
        timed, sampled = costs(daemon.get("/governor"), hits_per_sec)
        if sampled * 1.15 < budget < timed * 0.9:
            return daemon
        daemon.stop()
        budget = max((timed * sampled) ** 0.5, 0.1)
    skip("prices and rates on this machine change too fast to choose a budget between them")


def samples(daemon):
    """Of the calls of `varied`: timed, all; (0, 0) as long as it is not an estimate."""
    words = daemon.functions().get("varied", {}).get("sampling", "").split()
    return (int(words[0]), int(words[2])) if words else (0, 0)


def sampled(fixture):
    fixture.send("cool")
    daemon = attach_between(fixture)
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
    daemon = attach(fixture, "--domains", "functions", "--functions", "bursting")
    wait_until(lambda: any(d["name"] == "bursting" for d in daemon.get("/functions_timing")["dropped"]), what="the drop")
    frozen = daemon.functions().get("bursting", {"calls": 0})["calls"]
    fixture.send("cool")
    # A pause of five seconds, a calm while, a try; then ten calm windows for full timing.
    wait_until(lambda: daemon.get("/functions_timing")["dropped"] == [], 60, "the return of bursting")
    wait_until(lambda: daemon.functions().get("bursting", {"calls": 0})["calls"] > frozen + 100, what="100 more calls")
    wait_until(lambda: (lambda row: row and row["level"] == "timed")(rate(daemon, "bursting")), what="bursting to be timed")
    equal(daemon.status()["probes"]["dropped"], 0, "dropped functions in the status")
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
