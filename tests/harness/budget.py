"""Chooses an --overhead between what functions cost timed at every call and what they cost sampled, on this machine now."""
from harness import attach, skip, wait_until


def rates(daemon, names):
    """Name -> row of /governor, of those that have one."""
    return {row["name"]: row for row in daemon.get("/governor")["data"] if row["name"] in names}


BILLED = 1.25  # for what a call costs in calibration: docs/api.md, GET /governor


def costs(body, hits_per_sec):
    """Of functions with cheap probes, in percent of the target's CPU time: timed, sampled; by this daemon's own prices."""
    price, cpus = body["prices"]["emulated"], max(body["target_cpus"], 0.25)
    sampled = price["counted_ns"] + (price["timed_ns"] - price["counted_ns"]) / 16
    return tuple(BILLED * hits_per_sec * ns / 1e7 / cpus for ns in (price["timed_ns"], sampled))


def attach_between(fixture, names, *args):
    """A daemon with an --overhead at which @names are too dear timed and cheap enough sampled. Prices are calibrated at
    each start and differ by a third on a busy machine, so a budget is tried until it fits the prices that it met."""
    budget, hits_per_sec = 100, None

    def busy():
        rows = rates(daemon, names)
        return len(rows) == len(names) and all(row["hits_per_sec"] > 500 for row in rows.values()) and rows

    for _ in range(10):
        daemon = attach(fixture, *args, "--overhead", f"{budget:.3f}")
        if hits_per_sec is None:
            rows = wait_until(busy, what=f"the rates of {names}")
            if any(row["level"] != "timed" for row in rows.values()):
                skip(f"with a budget of 100 % not all are timed: {rows}")
            hits_per_sec = sum(row["hits_per_sec"] for row in rows.values())
        else:
            wait_until(lambda: daemon.get("/governor")["target_cpus"] > 0.1, what="a window")
        timed, sampled = costs(daemon.get("/governor"), hits_per_sec)
        if sampled * 1.15 < budget < timed * 0.9:
            return daemon
        daemon.stop()
        budget = max((timed * sampled) ** 0.5, 0.1)
    skip("prices and rates on this machine change too fast to choose a budget between them")
