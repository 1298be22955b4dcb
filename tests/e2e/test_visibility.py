"""GET /functions/visibility and --explain say why a function has no figures (trap:T9, trap:T8). What is inlined
where was told to the compiler; readelf counts the places again."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403
import schema  # noqa: E402


def explain(*args, code=0):
    got, out, err = run_daemon(*args)
    equal(got, code, f"exit status of {args}, stderr {err}")
    return out, err


def explain_json(*args):
    out, _ = explain("--format", "json", *args)
    body = parse("\n".join(out).encode())
    return {row["name"]: row for row in body["data"]}, body


def into(row):
    return {entry["name"]: entry["places"] for entry in row["inlined"]["into"]}


def wait_read(daemon, path):
    def complete():
        body = daemon.get(path)
        schema.check("GET", path, 200, body)
        return body["state"] == "ready" and body
    return wait_until(complete, what="the debug information")


def places_by_readelf(path):
    """Name of what is inlined -> number of DW_TAG_inlined_subroutine entries."""
    out = subprocess.run(["readelf", "--debug-dump=info", path], capture_output=True, text=True, check=True).stdout
    names, origins, tag, offset = {}, [], None, None
    for line in out.splitlines():
        entry = re.match(r" <[0-9a-f]+><([0-9a-f]+)>: Abbrev Number: \d+ \((DW_TAG_\w+)\)", line)
        if entry:
            offset, tag = int(entry.group(1), 16), entry.group(2)
        name = re.match(r"\s+<[0-9a-f]+>\s+DW_AT_name\s*:.*?([\w.]+)\s*$", line)
        if name and tag == "DW_TAG_subprogram":
            names[offset] = name.group(1)
        origin = re.match(r"\s+<[0-9a-f]+>\s+DW_AT_abstract_origin: <0x([0-9a-f]+)>", line)
        if origin and tag == "DW_TAG_inlined_subroutine":
            origins.append(int(origin.group(1), 16))
    found = {}
    for origin in origins:
        found[names[origin]] = found.get(names[origin], 0) + 1
    return found


def check_explain():
    fixture = Fixture("inlines", 10)
    rows, body = explain_json("--pid", fixture.pid, "--explain", "*")
    equal(body["debug_information"]["inlines"], "read", "debug information of a program that has it")
    for name, functions in (("always", {"one": 2, "two": 2}), ("nested", {"two": 1})):
        equal(rows[name]["reason"], "inlined", f"reason of {name}")
        equal(into(rows[name]), functions, f"functions with copies of {name}")
        equal(rows[name]["address"], None, f"address of {name}")
        expect(rows[name]["source"].endswith(line_of("inlines.c", f" {name}(")), f"source: {rows[name]}")
    equal((rows["both"]["reason"], into(rows["both"])), ("planned", {"one": 1, "three": 1}), "both")
    folded = [rows[name] for name in ("original", "alias") if rows[name]["reason"] == "folded"]
    equal(len(folded), 1, f"one of two names is the other's: {rows['original']}, {rows['alias']}")
    equal(rows["_start"]["reason"], "unprobeable", "reason of _start")
    counted = {name: row["inlined"]["places"] for name, row in rows.items() if row["inlined"]["places"]}
    equal(counted, places_by_readelf(fixture.path), "places of all functions, against readelf")
    equal(changed_text(fixture.pid), [], "breakpoints after --explain")

    out, _ = explain("--pid", fixture.pid, "--explain", "always")
    expect(any("inlined at 4 places" in line for line in out), f"text: {out}")
    out, _ = explain("--pid", fixture.pid, "--explain", "*")
    equal([line for line in out if len(line) > 80 and "/" not in line], [], "lines of more than 80 characters")
    rows, _ = explain_json("--pid", fixture.pid, "--functions", "one", "--exclude", "thr*", "--explain", "t*")
    equal((rows["two"]["reason"], rows["target"]["reason"]), ("not_selected",) * 2, "with --functions one")
    rows, _ = explain_json("--pid", fixture.pid, "--exclude", "thr*", "--explain", "three")
    equal(rows["three"]["reason"], "excluded", "with --exclude thr*")
    expect("thr*" in rows["three"]["text"], f"the pattern is named: {rows['three']}")
    rows, _ = explain_json("--pid", fixture.pid, "--explain", "getenv")
    expect([row["reason"] for row in rows.values()] == ["library"], f"a function of libc: {rows}")
    _, err = explain("--pid", fixture.pid, "--explain", "alwys", code=2)
    expect("always" in err, f"the nearest name: {err}")
    explain("--explain", "x", code=2)
    fixture.finish()


def line_of(source, text):
    path = os.path.join(ROOT, "tests", "fixtures", source)
    with open(path, encoding="utf-8") as file:
        return next(f"{source}:{number}" for number, line in enumerate(file, 1)
                    if text in line and not line.startswith((" ", "\t")))


def check_route():
    fixture = Fixture("inlines", 10)
    daemon = attach(fixture)
    body = wait_read(daemon, "/functions/visibility")
    rows = {row["name"]: row for row in body["data"]}
    equal(rows["one"]["reason"], "never_called", "before the first call")
    fixture.run()
    daemon.settled()
    body = daemon.get("/functions/visibility")
    rows = {row["name"]: row for row in body["data"]}
    for name in ("one", "two", "three"):
        expect(name not in rows, f"{name} has figures and is listed all the same: {rows.get(name)}")
    equal(body["total_count"], len(body["data"]), "without a limit")
    equal(sum(body["reasons"].values()), body["total_count"], "sum of reasons")
    equal(rows["always"]["reason"], "inlined", "always")
    equal((rows["target"]["reason"], rows["target"]["calls"]), ("never_called", 0), "target")
    expect("only tail calls lead to it" in rows["target"]["text"], f"target: {rows['target']}")
    expect("nothing in its module calls it" in rows["unused"]["text"], f"unused: {rows['unused']}")
    expect("2 places" in rows["both"]["text"], f"both: {rows['both']}")
    body = daemon.get("/functions/visibility?glob=%6fne")
    schema.check("GET", "/functions/visibility?glob=%6fne", 200, body)
    equal([(row["name"], row["reason"], row["calls"]) for row in body["data"]], [("one", "timed", 10)], "glob one")
    equal(daemon.get("/functions/visibility?glob=alwys")["nearest"][:1], ["always"], "nearest of alwys")
    for bad in ("glob=%zz", "glob=%00", "glob=/x/", "glob=" + 300 * "x"):
        path = "/functions/visibility?" + bad
        schema.check("GET", path, 400, daemon.get(path, 400))
    check_source(daemon)
    daemon.stop()
    fixture.finish()


def check_source(daemon):
    """?source=1 adds where a function is declared, as a text (rule 5 of the wire contract)."""
    body = daemon.get("/functions_timing?source=1")
    schema.check("GET", "/functions_timing?source=1", 200, body)
    equal(body["source_state"], "ready", "state of the sources")
    for entry in body["data"]:
        if entry["name"] in ("one", "two", "three"):
            expect(entry["source"].endswith(line_of("inlines.c", f" {entry['name']}(")), f"source of {entry}")
    plain = daemon.get("/functions_timing")
    expect(not any("source" in entry for entry in plain["data"]), "source without being asked for")


def check_without():
    """No debug information: said, not guessed."""
    fixture = Fixture("calls_stripped", 1, 1)
    daemon = attach(fixture)
    body = wait_read(daemon, "/functions/visibility")
    equal(body["debug_information"]["calls_stripped"], "no debug information: inlining unknown", "stripped")
    daemon.stop()
    fixture.finish()
    fixture = Fixture("inlines", 10)
    daemon = attach(fixture, "--limit", "2")
    body = wait_read(daemon, "/functions/visibility")
    equal((len(body["data"]), body["included_count"]), (2, 2), "rows with --limit 2")
    expect(body["total_count"] > 2, f"all rows are counted: {body['total_count']}")
    daemon.stop()
    fixture.finish()


def check_dropped():
    """The guard's words come back."""
    fixture = Fixture("hot")
    daemon = attach(fixture)
    fixture.go()
    dropped = wait_until(lambda: daemon.get("/functions_timing")["dropped"], what="a dropped function")
    wait_read(daemon, "/functions/visibility")
    row = daemon.get("/functions/visibility?glob=" + dropped[0]["name"])["data"][0]
    equal(row["reason"], "over_budget", f"reason of {dropped[0]}")
    expect(dropped[0]["reason"] in row["text"], f"text: {row['text']!r} without {dropped[0]['reason']!r}")
    daemon.stop()
    fixture.send("stop")
    fixture.finish()


def check_late():
    """A library that is loaded after the first answer (trap:T11)."""
    fixture = Fixture("libraries", 100, 1)
    daemon = attach(fixture, "--exact", "libfx_*.so:*_work*", "--domains", "functions")
    path = "/functions/visibility?glob=libfx_plugin.so:plug_work"
    equal(wait_read(daemon, path)["data"], [], "before the library is loaded")
    fixture.send("load")
    equal(fixture.result(), {"loaded": True}, "answer to load")
    row = wait_until(lambda: (lambda rows: rows and rows[0]["source"] and rows[0])(daemon.get(path)["data"]),
                     what="the function of the library")
    equal((row["name"], row["module"]), ("libfx_plugin.so:plug_work", "libfx_plugin.so"), "names")
    wait_until(lambda: daemon.get(path)["data"][0]["reason"] == "never_called", what="its attaching")
    daemon.stop()
    fixture.finish()


def main():
    check_explain()
    check_route()
    check_without()
    check_dropped()
    check_late()


run(main)
