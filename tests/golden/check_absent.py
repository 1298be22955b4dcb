"""Routes without a domain: each body must please a 0.18 console and, strictly, the body both generations share."""
import copy
import json
import subprocess
import sys

import jsonschema

# Path, definition for 0.18 (None: the route is newer), strict definition of what we send.
LISTS = [
    ("/debug", "Debug", "DebugUnion"),
    ("/channels", "Channels", "ChannelsUnion"),
    ("/streams", "Streams", "StreamsUnion"),
    ("/futures", "Futures", "FuturesUnion"),
    ("/rw_locks", "RwLocks", "RwLocksUnion"),
    ("/mutexes", "Mutexes", "MutexesUnion"),
    ("/sql", None, "Sql"),
    ("/http", None, "Http"),
    ("/server", None, "Server"),
    ("/io", None, "Io"),
]
UNAVAILABLE = [
    "/functions_alloc", "/functions_alloc/1/logs", "/tokio_runtime", "/debug/dbg/1/logs", "/debug/val/1/logs",
    "/debug/gauge/1/logs", "/channels/1/logs", "/streams/1/logs", "/futures/1/logs", "/sql/1/logs",
    "/http/1/logs", "/server/1/logs",
]


def relaxed(node):
    """The schema with unknown members allowed, as the console reads (contract section 3, rule 5)."""
    if isinstance(node, dict):
        return {k: relaxed(v) for k, v in node.items() if not (k == "additionalProperties" and v is False)}
    return [relaxed(v) for v in node] if isinstance(node, list) else node


def validator(schema, name):
    root = copy.copy(schema)
    root["$ref"] = f"#/$defs/{name}"
    return jsonschema.Draft202012Validator(root)


def no_duplicates(pairs):
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), f"a key stands twice: {keys}"
    return dict(pairs)


def answers(program, paths):
    text = "".join(f"GET {path}\n" for path in paths)
    run = subprocess.run([program], input=text, capture_output=True, text=True, check=True, timeout=30)
    lines = [line.split(" ", 3) for line in run.stdout.splitlines()]
    assert [line[1] for line in lines] == paths, run.stdout
    return {path: (int(status), json.loads(body, object_pairs_hook=no_duplicates))
            for _, path, status, body in lines}


def main(program, schema_file):
    with open(schema_file, encoding="utf-8") as file:
        schema = json.load(file)
    loose = relaxed(schema)
    paths = [path + query for path, _, _ in LISTS for query in ("", "?raw=1", "?")] + UNAVAILABLE
    got = answers(program, paths)
    failures = 0

    def check(path, status, check_with):
        nonlocal failures
        texts = [error.message for error in check_with.iter_errors(got[path][1])]
        if got[path][0] != status:
            texts.append(f"status {got[path][0]}, not {status}")
        for text in texts:
            print(f"{path}: {text}: {got[path][1]}")
        failures += len(texts)

    for path, old, strict in LISTS:
        for query in ("", "?raw=1", "?"):
            check(path + query, 200, validator(schema, strict))
            if old:
                check(path + query, 200, validator(loose, old))
    for path in UNAVAILABLE:
        check(path, 404, validator(schema, "Error"))
    print(f"{len(got)} answers, {failures} failures")
    return failures != 0


sys.exit(main(*sys.argv[1:]))
