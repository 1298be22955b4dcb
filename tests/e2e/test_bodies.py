"""Every body of every route is valid before data, with data and in the final report, for both wires."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403
import schema

LISTS = ["/profiler_status", "/functions_timing", "/functions_alloc", "/functions_cpu", "/threads", "/debug", "/channels",
         "/streams", "/futures", "/rw_locks", "/mutexes", "/tokio_runtime", "/sql", "/http", "/server", "/io"]
OURS = ["/functions_timing/in_flight"]  # lists that are in no report: calls in progress are over by then
DETAILS = ["logs", "heatmap", "edges", "slowest"]  # of one function
ABSENT = {"/functions_alloc", "/tokio_runtime"}  # 404 as long as their domains do not exist
LOGS = ["/functions_timing", "/functions_alloc", "/debug/dbg", "/debug/val", "/debug/gauge", "/channels", "/streams",
        "/futures", "/sql", "/http", "/server"]


def check_all(daemon, newer, off=()):
    for path in LISTS + OURS:
        for query in ("", "?raw=1"):
            answer = daemon.ask(path + query)
            equal(answer.headers.get("content-type", "").split(";")[0], "application/json", f"content type of {path}")
            wanted = 404 if path in ABSENT or path in off else 200
            equal(answer.status, wanted, f"status of {path}, body {answer.body[:200]!r}")
            schema.check("GET", path + query, answer.status, answer.json(), newer)
    for detail in DETAILS[1:]:
        answer = daemon.ask(f"/functions_timing/4294967295/{detail}")
        equal(answer.status, 404, f"status of unknown {detail}")
        schema.check("GET", f"/functions_timing/1/{detail}", 404, answer.json(), newer)
    for path in LOGS:
        answer = daemon.ask(f"{path}/4294967295/logs")
        equal(answer.status, 404, f"status of unknown logs of {path}")
        schema.check("GET", f"{path}/1/logs", 404, answer.json(), newer)


def check_logs(daemon, newer):
    data = daemon.get("/functions_timing")["data"]
    expect(data, "no functions after the fixture ran")
    for entry in data[:5]:
        for detail in DETAILS:
            for query in ("", "?raw=1"):
                path = f"/functions_timing/{entry['id']}/{detail}{query}"
                body = daemon.get(path)
                schema.check("GET", path, 200, body, newer)
                equal(body["function_name"], entry["name"], f"function_name in {path}")
                if detail in ("logs", "slowest"):
                    expect(body[detail], f"no calls in {path}")


def check_report(path, newer):
    with open(path, "rb") as file:
        report = parse(file.read())
    equal(sorted(report), sorted(LISTS), "routes in the report")
    for route, body in report.items():
        schema.check("GET", route, 404 if "error" in body and route != "/functions_cpu" else 200, body, newer)
    calls = {entry["name"]: entry["calls"] for entry in report["/functions_timing"]["data"]}
    return report, calls


def whole_life(wire):
    newer = wire == "latest"
    fixture = Fixture("calls", 2, 2000)
    file = os.path.join(temp_dir(), "report.json")
    daemon = Daemon("--pid", fixture.pid, "--wire", wire, "--exact", "work_*", "--percentiles", "50,95,99.9", "--cpu-window", 1,
                    "--report", file, "--format", "json")
    check_all(daemon, newer)  # before data, perhaps while attaching
    daemon.wait_ready()
    check_all(daemon, newer)
    empty = daemon.get("/functions_timing")
    equal((empty["caller_name"], empty["description"], empty["time_elapsed"], empty["total_elapsed_ns"], empty["data"]),
          ("hotpath", "No timing data available yet", "0 ns", 0, []), "the list before any call")
    wanted = fixture.run()
    daemon.settled()
    wait_until(lambda: daemon.get("/functions_cpu")["status"] == "ready", 10, "a CPU window")
    check_all(daemon, newer)
    check_logs(daemon, newer)
    equal(daemon.get("/functions_timing")["percentiles"], [50, 95, 99.9], "percentiles of the list")
    equal(daemon.status()["pid"], fixture.pid, "pid in the status")
    fixture.finish()  # the target's exit ends the daemon
    equal(daemon.wait(), 0, f"exit status, stderr: {daemon.stderr()}")
    report, calls = check_report(file, newer)
    equal({name: calls.get(name) for name in wanted}, wanted, "calls in the report after the target's exit")
    equal(report["/profiler_status"]["state"], "exited", "state in the report")


def with_domains_off():
    fixture = Fixture("calls", 1, 10)
    daemon = attach(fixture, "--domains", "threads")
    check_all(daemon, False, off={"/functions_cpu", "/functions_timing/in_flight"})
    text = daemon.get("/functions_cpu", 404)["error"]
    expect("--domains" in text and "cpu" in text, f"the text does not say how to turn it on: {text}")
    equal(daemon.get("/functions_timing")["data"], [], "functions of a domain that is off")
    expect(daemon.status()["domains"]["cpu"] != "active", "cpu is active although it is off")
    daemon.stop()
    fixture.finish()


def main():
    whole_life("0.18")
    whole_life("latest")
    with_domains_off()


run(main)
