"""C++, Rust, static and stripped programs: readable names, right counts, unharmed."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403


def cxx(program):
    fixture = Fixture(program, 3000)
    daemon = attach(fixture, "--exact", "shop::*")
    counted = fixture.run()
    equal(counted["wrong"], 0, f"wrong results of {program}, whose exceptions pass probed frames")
    equal(counted["destroyed"], 2 * counted["rounds"], "destructors that ran")
    daemon.settled()
    entries = daemon.functions()
    got = {name: entry["calls"] for name, entry in entries.items()}

    def calls(prefix):
        return sum(n for name, n in got.items() if name.startswith(prefix))
    equal(calls("shop::price"), counted["price_int"] + counted["price_string"], f"calls of shop::price in {got}")
    equal(calls("shop::Basket"), counted["add"], f"calls of shop::Basket<T>::add in {got}")
    # It catches what passes through the others, which are timed by their exits (trap:U7): its own calls all return.
    attempt = next(entry for name, entry in entries.items() if name.startswith("shop::attempt"))
    equal(attempt["calls"], counted["rounds"], "calls of shop::attempt, which catches")
    # A call that ends by an exception does not return.
    finished = counted["check"] - counted["caught"]
    equal(calls("shop::detail::check"), finished, "finished calls of shop::detail::check")
    equal(calls("shop::through"), finished, "finished calls of shop::through")
    expect(not any(name.startswith("_ZN") for name in got), f"mangled names: {sorted(got)}")
    daemon.stop()
    check_clean(fixture.pid)
    fixture.finish()


def rust():
    fixture = Fixture("rustfix", 5000)
    daemon = attach(fixture, "--exact", "rustfix::orders::*")
    counted = fixture.run()
    daemon.settled()
    got = {name: entry["calls"] for name, entry in daemon.functions().items()}
    equal(got.get("rustfix::orders::parse"), counted["parse"], f"calls of parse in {got}")
    equal(got.get("rustfix::orders::Order::total"), counted["total"], f"calls of Order::total in {got}")
    daemon.stop()
    fixture.finish()


def static():
    fixture = Fixture("calls_static", 2, 3000)
    daemon = attach(fixture, "--exact", "work_*")
    counted = fixture.run()
    daemon.settled()
    got = {name: entry["calls"] for name, entry in daemon.functions().items()}
    equal({name: got.get(name) for name in counted}, counted, "calls in a static program without PIE")
    daemon.stop()
    fixture.finish()


def stripped():
    fixture = Fixture("calls_stripped", 2, 0)
    daemon = attach(fixture, "--cpu-window", 1)
    fixture.go()
    wait_until(lambda: daemon.get("/functions_cpu").get("report", {}).get("total_samples", 0) > 50, what="CPU samples")
    expect(daemon.get("/threads")["thread_count"] == 3, "threads of a stripped program")
    daemon.get("/functions_timing")
    daemon.stop()
    check_clean(fixture.pid)
    fixture.stop()
    fixture.finish()


def through_c():
    """Exceptions of a C++ program through a C library that calls back: no return probes there either (trap:U7)."""
    fixture = Fixture("cxxsort", 3000)
    daemon = attach(fixture, "--exact", "libc.so.6:*qsort*", "--domains", "functions")
    counted = fixture.run()
    equal(counted["caught"], counted["rounds"] // 3, "exceptions that arrived")
    daemon.settled()
    entries = sum(int(entry.get("entries", entry["calls"])) for name, entry in daemon.functions().items()
                  if name.split(":")[-1] in ("qsort", "__qsort_r", "qsort_r"))
    within(entries, counted["rounds"], 2 * counted["rounds"], f"entries of qsort in {daemon.functions()}")
    daemon.stop()
    fixture.finish()


def main():
    through_c()
    static()
    stripped()
    cxx("cxx")
    cxx("cxx_static")
    rust()


run(main)
