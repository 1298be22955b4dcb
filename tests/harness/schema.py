"""Holds bodies against the reference schema as a 0.18 or newer console reads it, and strictly against our own."""
import copy
import json
import os
import re

import jsonschema

from harness import ROOT, expect

SCHEMAS = os.path.join(ROOT, "docs", "schema")
WIRE_FILE = os.path.join(SCHEMAS, "wire-schema.json")
OWN_FILE = os.path.join(SCHEMAS, "hotpathd-schema.json")


def _load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def _relaxed(node):
    """Unknown members are ignored by the console (contract section 3, rule 5) ..."""
    if isinstance(node, dict):
        return {k: _relaxed(v) for k, v in node.items() if not (k == "additionalProperties" and v is False)}
    return [_relaxed(v) for v in node] if isinstance(node, list) else node


WIRE = _load(WIRE_FILE)
LOOSE = _relaxed(WIRE)
for _name in ("FunctionTimingEntry", "FunctionAllocEntry"):  # ... but in entries of 0.18 they must be texts
    LOOSE["$defs"][_name]["additionalProperties"] = {"type": "string"}


def _renamed(node, old, new):
    """References that begin with @old begin with @new."""
    if isinstance(node, dict):
        return {k: new + v[len(old):] if k == "$ref" and v.startswith(old) else _renamed(v, old, new)
                for k, v in node.items()}
    return [_renamed(v, old, new) for v in node] if isinstance(node, list) else node


def _merged(own, wire):
    """Our schema with the reference's definitions inside, as "wire:NAME": references across files that are named
    by URN are more than the validator resolves."""
    own = _renamed(own, wire["$id"] + "#/$defs/", "#/$defs/wire:")
    for name, definition in wire["$defs"].items():
        own["$defs"]["wire:" + name] = _renamed(definition, "#/$defs/", "#/$defs/wire:")
    return own


OWN = _merged(_load(OWN_FILE), WIRE)


def _validator(root, name):
    schema = copy.copy(root)
    schema["$ref"] = f"#/$defs/{name}"
    return jsonschema.Draft202012Validator(schema)


def _own_name(route, status, newer, raw):
    name = OWN["x-routes"][route][str(status)]
    variants = [name + ("Newer" if newer else "") + ("Raw" if raw else "")]
    variants += [name + "Raw"] if raw else []
    return next((v for v in variants + [name] if v in OWN["$defs"]), name)


def route_of(method, path):
    path = re.sub(r"/\d+(?=/(logs|heatmap|edges|slowest)$)", "/{id}", path.split("?")[0])
    return f"{method} {path}"


def errors(method, path, status, body, newer=False):
    """All complaints about one answer."""
    route, raw = route_of(method, path), "raw=1" in path
    found = []
    if route in WIRE["x-routes"] and not raw:
        by_status = WIRE["x-routes"][route]
        key = f"{status} newer" if newer and f"{status} newer" in by_status else str(status)
        if key not in by_status:
            return [f"{method} {path}: the reference has no status {status}"]
        name = by_status[key]["$ref"].rsplit("/", 1)[1]
        found += [f"reference {name}: {e.message} at {list(e.absolute_path)}"
                  for e in _validator(LOOSE, name).iter_errors(body)]
        union = by_status.get(f"{status} union")
        if union:  # one body serves both generations
            union = union["$ref"].rsplit("/", 1)[1]
            found += [f"reference {union}: {e.message} at {list(e.absolute_path)}"
                      for e in _validator(LOOSE, union).iter_errors(body)]
    name = _own_name(route, status, newer, raw)
    found += [f"own {name}: {e.message} at {list(e.absolute_path)}"
              for e in _validator(OWN, name).iter_errors(body)]
    return [f"{method} {path} ({status}): {text}" for text in found]


def check(method, path, status, body, newer=False):
    found = errors(method, path, status, body, newer)
    expect(not found, "\n".join(found[:10]) + f"\nbody: {json.dumps(body)[:1500]}")
