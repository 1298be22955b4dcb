"""Arguments and results (--args) of the call log and the slowest calls, against what the fixture says that it got and gave."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403
import schema

VECTOR = "N/A: in a vector register, which probes cannot read"
STRUCT = "N/A: a structure"

# As debug information has them.
SPECS = {
    "v_ints": "(i8, i16, int, long, u8, u16) -> int",
    "v_many": "(int, int, int, int, int, int, i16, long, u32) -> u64",
    "v_mixed": "(int, double, u64, float, long) -> double",
    "v_floats": "(double, double, double, double, double, double, double, double, double, int, float) -> float",
    "v_bool": "(bool, char, int) -> bool",
    "v_ptr": "(ptr, ptr) -> ptr",
    "v_text": "(int, str) -> str",
    "v_void": "(int) -> void",
    "v_thread": "(u32, long, str) -> long",
    "v_recurse": "(int, str) -> int",
    "v_leave": "(int) -> int",
}
# What cannot be asked for in types.
DERIVED = {
    "v_small": "(?, int) -> int",
    "v_vectors": "(?, int) -> int",
    "v_big": "(?, int) -> long",
    "v_hidden": "(int, str) -> ?",
    "v_static": None,
}
TEXTS = [
    '"hello"', '""', "NULL", "0x8 <unreadable>", '"' + "x" * 64 + '"', '"' + "y" * 64 + '"...', '"' + "z" * 64 + '"...',
    '"endle"<no end>', '"tab\\tline\\nquote\\"back\\\\bell\\x07"', '"grüß €"', '"bad\\xff\\xc3"', '"esc\\x1b[31m\\xc2\\x9b"',
    '"' + "a" * 63 + '"...',
]


def said_calls(result):
    """Function to calls as the fixture saw them: ([args], result), in the order of their ends."""
    calls = {}
    for line in result["said"].strip().split("\n"):
        head, _, tail = line.rpartition("=>")
        if not head:
            head, tail = line.rstrip("-"), None
        name, *args = head.split("|")
        calls.setdefault(name, []).append((args, tail))
    for name in ("v_mixed", "v_floats"):
        calls[name] = [([VECTOR if arg == "N/A" else arg for arg in args], VECTOR) for args, _ in calls[name]]
    for name in ("v_small", "v_vectors", "v_big"):
        calls[name] = [([STRUCT if arg == "N/A" else arg for arg in args], tail) for args, tail in calls[name]]
    calls["v_hidden"] = [(args, STRUCT) for args, _ in calls["v_hidden"]]
    calls["v_text"] = [([args[0], TEXTS[i]], TEXTS[i]) for i, (args, _) in enumerate(calls["v_text"])]
    return calls


def view(daemon, ids, name, kind):
    path = f"/functions_timing/{ids[name]}/{kind}"
    body = daemon.get(path)
    schema.check("GET", path, 200, body)
    return body


def logs(daemon, ids, name):
    return [(log["args"], log["result"]) for log in reversed(view(daemon, ids, name, "logs")["logs"])]


def check_recursion(daemon, ids, calls):
    """29 calls; of the 25 nested ones the outer ones' arguments may be lost, which is counted, but never mixed up."""
    got = logs(daemon, ids, "v_recurse")
    equal([result for _, result in got], [result for _, result in calls], "results of v_recurse")
    lost = [i for i, (args, _) in enumerate(got) if args is None]
    equal(lost, list(range(len(calls) - 9, len(calls))), "calls of v_recurse without arguments: beyond 16 levels")
    for i, (args, _) in enumerate(got):
        if i not in lost:
            equal(args, calls[i][0], f"arguments of v_recurse call {i}")
    equal(daemon.status()["losses"]["args_pushed_out"], len(lost), "arguments said to be lost")


def check_slowest(daemon, ids, name):
    """The same calls show the same values in both views."""
    log = {(entry["thread_id"], entry["timestamp_ns"]): (entry["args"], entry["result"])
           for entry in daemon.get(f"/functions_timing/{ids[name]}/logs?raw=1")["logs"]}
    slowest = view(daemon, ids, name, "slowest")["slowest"]
    expect(slowest, f"no slowest calls of {name}")
    for entry in slowest:
        equal((entry["args"], entry["result"]), log[entry["thread_id"], entry["end_ns"]], f"slowest call of {name}")


def attached(*args, env=None, fixture="values", fixture_args=()):
    fixture = Fixture(fixture, *fixture_args)
    daemon = Daemon("--pid", fixture.pid, *args, env=env)
    daemon.wait_ready()
    return fixture, daemon


def names(daemon, wanted):
    entries = {entry["name"]: entry for entry in daemon.get("/functions_timing")["data"]}
    expect(set(wanted) <= set(entries), f"functions without calls: {set(wanted) - set(entries)}")
    return {name: entry["id"] for name, entry in entries.items()}


def settled(daemon, wanted):
    daemon.settled()
    return names(daemon, wanted)


def all_kinds(specs, source, env=None, exact=True, fixture="values"):
    args = [word for spec in specs for word in ("--args", spec)] + (["--exact", "v_*"] if exact else [])
    fixture, daemon = attached(*args, "--functions", "v_*", env=env, fixture=fixture)
    result = fixture.run()
    calls = said_calls(result)
    ids = settled(daemon, [name for name in SPECS if name in calls])
    seen = {}
    for name in SPECS:
        body = view(daemon, ids, name, "logs") if name in ids else {}
        if name in calls:
            equal(body["signature"], SPECS[name], f"signature of {name}")
            equal(body["signature_from"], source, f"source of {name}'s types")
        if name in calls and name not in ("v_recurse",):
            seen[name] = logs(daemon, ids, name)
            equal(seen[name], calls[name], f"calls of {name}")
    check_recursion(daemon, ids, calls["v_recurse"])
    check_slowest(daemon, ids, "v_text")
    check_slowest(daemon, ids, "v_ints")
    return fixture, daemon, ids, calls


def close(fixture, daemon):
    fixture.finish()
    equal(daemon.wait(), 0, f"exit status, stderr: {daemon.stderr()}")
    check_session_empty(daemon)


def given_types():
    fixture, daemon, ids, calls = all_kinds([name + spec for name, spec in SPECS.items()]
                                            + ["v_bytes(str[2], size_t) -> long"], "--args")
    equal(logs(daemon, ids, "v_bytes"), calls["v_bytes"], "calls of v_bytes")
    close(fixture, daemon)


def derived_types():
    fixture, daemon, ids, calls = all_kinds(["v_*"], "debug information")
    for name, spec in DERIVED.items():
        body = view(daemon, ids, name, "logs")
        if spec:
            equal(body["signature"], spec, f"signature of {name}")
        if name != "v_static":
            equal(logs(daemon, ids, name), calls[name], f"calls of {name}")
    # The compiler took the first parameter away: the others are right, or said to be unknown.
    for (args, result), (wanted, _) in zip(logs(daemon, ids, "v_static"), calls["v_static"]):
        equal(args[-2:], wanted[-2:], "v_static")
    close(fixture, daemon)


def separate_debug_file():
    """Types, and places in the source, of a stripped program whose debug information is in a file beside it."""
    folder = temp_dir()
    whole, bare, debug = os.path.join(FIXTURES, "values"), os.path.join(folder, "bare"), os.path.join(folder, "bare.debug")
    subprocess.run(["objcopy", "--only-keep-debug", whole, debug], check=True)
    subprocess.run(["objcopy", "--strip-all", f"--add-gnu-debuglink={debug}", whole, bare], check=True)
    fixture, daemon, ids, calls = all_kinds(["v_*"], "debug information", fixture=bare)
    equal(logs(daemon, ids, "v_void"), calls["v_void"], "calls of v_void")
    body = wait_until(lambda: (lambda b: b["source_state"] == "ready" and b)(daemon.get("/functions_timing?source=1")),
                      what="places in the source")
    with open(os.path.join(ROOT, "tests", "fixtures", "values.c"), encoding="utf-8") as file:
        line = next(i for i, text in enumerate(file, 1) if text.startswith("FX_TRACED void v_void("))
    got = {entry["name"]: entry.get("source", "") for entry in body["data"]}
    expect(got["v_void"].endswith(f"values.c:{line}"), f"source of v_void: {got['v_void']!r}, not line {line}")
    close(fixture, daemon)


def without_sessions():
    """Entry and return programs, in uprobe_multi links and as perf events."""
    for name in ("HOTPATHD_NO_SESSIONS", "HOTPATHD_NO_UPROBE_MULTI"):
        fixture, daemon, _, _ = all_kinds(["v_*"], "debug information", env={name: "1"})
        close(fixture, daemon)


def other_compilers():
    """clang says of each parameter where it is at the entry, or, unoptimised, where it will be kept."""
    for name in ("values_clang_O0", "values_clang_O2"):
        fixture, daemon = attached("--args", "v_*", "--exact", "v_*", fixture=name)
        calls = said_calls(fixture.run())
        ids = settled(daemon, [name for name in calls if name != "v_static"])
        for function in calls:
            if function not in ("v_recurse", "v_static", "v_bytes"):  # its length is for --args to say
                equal(logs(daemon, ids, function), calls[function], f"calls of {function} in {name}")
        for (args, _), (wanted, _) in zip(logs(daemon, ids, "v_static"), calls["v_static"]):
            for got, want in zip(args[-2:], wanted[-2:]):
                expect(got == want or got.startswith("N/A"), f"v_static in {name}: {args}")
        close(fixture, daemon)


def check_said(fixture_name, prefix, gaps):
    """Functions of @prefix; texts stand in single quotes in what the fixture says."""
    fixture, daemon = attached("--args", prefix + "*", "--exact", prefix + "*", fixture=fixture_name)
    calls = {}
    for line in fixture.run()["said"].strip().split("\n"):
        head, _, tail = line.replace("'", '"').rpartition("=>")
        name, *args = head.split("|")
        calls.setdefault(name, []).append(([gaps.get(arg, arg) for arg in args], tail))
    daemon.settled()
    entries = daemon.functions()
    for name, wanted in calls.items():
        full = next(entry for entry in entries if re.split(r"[(\[]", entry)[0].split("::")[-1] == name)
        body = view(daemon, {full: entries[full]["id"]}, full, "logs")
        expect("signature" in body, f"no signature of {full}: {body}")
        got = [(log["args"], log["result"]) for log in reversed(body["logs"])]
        if name == "repeat":
            wanted = [(args, STRUCT) for args, _ in wanted]
        if name == "mixed":
            wanted = [(args[:3] + [f"U+{int(args[3]):04X}"], tail) for args, tail in wanted]
        equal(got, wanted, f"calls of {full} in {fixture_name}, {body['signature']}")
    close(fixture, daemon)


def languages():
    check_said("valuescxx", "shop::", {"N/A": VECTOR})
    for name in ("valuesrust", "valuesrust_debug"):
        if os.path.exists(os.path.join(FIXTURES, name)):
            check_said(name, "valuesrust*::shop::", {"N/A": VECTOR})


def many_threads():
    """Each result belongs to its arguments: thread * 10^6 + call + first letter."""
    fixture, daemon = attached("--args", "v_thread(u32, long, str) -> long", "--exact", "v_thread", fixture_args=(4, 5000))
    fixture.run()
    ids = settled(daemon, ["v_thread"])
    equal(daemon.functions()["v_thread"]["calls"], 20000, "calls of v_thread")
    for args, result in logs(daemon, ids, "v_thread"):
        text = args[2].strip('"')
        expect(text in ("alpha", "beta", "gamma", "delta"), f"name of v_thread: {args}")
        equal(int(result), int(args[0]) * 1000000 + int(args[1]) + ord(text[0]), f"result of v_thread{args}")
    close(fixture, daemon)


def plain_functions_stay_plain():
    fixture, daemon = attached("--args", "v_ints", "--functions", "v_*")
    calls = said_calls(fixture.run())
    ids = settled(daemon, ["v_ints", "v_many"])
    equal(logs(daemon, ids, "v_ints"), calls["v_ints"], "calls of v_ints")
    for log in view(daemon, ids, "v_many", "logs")["logs"]:
        expect("args" not in log and log["result"] is None, f"values that nobody asked for: {log}")
    close(fixture, daemon)


def refusals():
    fixture = Fixture("values")
    for spec, words in {
        "v_ints(int, strin)": "'strin' is no type",
        "v_ints(int": "matches no function",
        "v_ints(int, )": "a type is missing",
        "v_ints(int int)": "a comma is missing",
        "v_ints(int) -> int, int": "the result has one plain type",
        "v_ints(void, int)": "void is a result",
        "v_text(int, str[7])": "argument 7",
        "v_text(ptr, str[1])": "argument 1",
        "v_nowhere(int)": "matches no function; nearest",
    }.items():
        daemon = Daemon("--pid", fixture.pid, "--args", spec, serving=False)
        equal(daemon.wait(), 2, f"exit status of --args {spec}")
        expect(words in daemon.stderr() and daemon.stderr().count("\n") == 0, f"--args {spec}: {daemon.stderr()}")
    fixture.finish()
    bare = os.path.join(temp_dir(), "values_bare")  # names, but no types; nor does it say where they might be
    subprocess.run(["objcopy", "--strip-debug", fixture.path, bare], check=True)
    fixture = Fixture(bare)
    daemon = Daemon("--pid", fixture.pid, "--args", "v_ints", serving=False)
    equal(daemon.wait(), 2, "exit status without debug information")
    expect("give the types" in daemon.stderr(), daemon.stderr())
    fixture.finish()


def main():
    given_types()
    derived_types()
    separate_debug_file()
    without_sessions()
    other_compilers()
    languages()
    many_threads()
    plain_functions_stay_plain()
    refusals()


run(main)
