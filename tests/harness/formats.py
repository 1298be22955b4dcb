"""Readers of profiles in foreign formats: each gives {"root;...;leaf": weight} and insists on the format's rules."""
import gzip
import json
import os

import jsonschema

from harness import equal, expect

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "formats")


def _check(name, body):
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        validator = jsonschema.Draft202012Validator(json.load(file))
    found = [f"{error.message[:300]} at {list(error.absolute_path)}" for error in validator.iter_errors(body)]
    expect(not found, f"{name}: " + "\n".join(found[:5]))


def _add(stacks, names, weight):
    key = ";".join(names)
    stacks[key] = stacks.get(key, 0) + weight


def folded(text, columns=1):
    """Weight, or a tuple of them, of each stack."""
    stacks = {}
    for line in text.splitlines():
        *name, = line.rsplit(" ", columns)
        counts = tuple(int(count) for count in name[1:])
        expect(name[0] not in stacks, f"two lines for {name[0]}")
        stacks[name[0]] = counts[0] if columns == 1 else counts
    return stacks


def speedscope(body):
    _check("speedscope.json", body)
    frames, stacks = body["shared"]["frames"], {}
    for profile in body["profiles"]:
        equal(len(profile["samples"]), len(profile["weights"]), "samples and weights")
        equal(sum(profile["weights"]), profile["endValue"] - profile["startValue"], "sum of the weights")
        for sample, weight in zip(profile["samples"], profile["weights"]):
            _add(stacks, [frames[i]["name"] for i in sample], weight)
    return stacks


def firefox(body):
    _check("firefox.json", body)
    stacks = {}
    for thread in body["threads"]:
        for table in ("samples", "stackTable", "frameTable", "funcTable", "resourceTable", "nativeSymbols", "markers"):
            for column, values in thread[table].items():
                expect(not isinstance(values, list) or len(values) == thread[table]["length"], f"length of {table}.{column}")
        prefix, frame = thread["stackTable"]["prefix"], thread["stackTable"]["frame"]
        texts = []
        for i, caller in enumerate(prefix):
            expect(caller is None or caller < i, f"stack {i} has prefix {caller}")
            name = thread["stringArray"][thread["funcTable"]["name"][thread["frameTable"]["func"][frame[i]]]]
            texts.append((texts[caller] if caller is not None else []) + [name])
        samples = thread["samples"]
        equal(samples["time"], sorted(samples["time"]), "times of the samples")
        for stack, weight in zip(samples["stack"], samples["weight"]):
            _add(stacks, [] if stack is None else texts[stack], weight)
    return stacks


def _fields(data):
    """(number, value) of each field of a message: an int, or bytes."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = varint()
        if tag & 7 == 0:
            yield tag >> 3, varint()
        else:
            equal(tag & 7, 2, "wire type")
            length = varint()
            expect(at + length <= len(data), "a field is longer than its message")
            yield tag >> 3, data[at:at + length]
            at += length


def _packed(data):
    values, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            values.append(value)
            value = shift = 0
    return values


def pprof(data, value=0):
    """Reads proto/profile.proto of google/pprof. @value: which one of a sample's."""
    profile = {}
    for number, field in _fields(gzip.decompress(data)):
        profile.setdefault(number, []).append(field)
    strings = [text.decode() for text in profile[6]]
    equal(strings[0], "", "the first string")
    functions = {one[1]: strings[one[2]] for one in (dict(_fields(field)) for field in profile.get(5, []))}
    locations = {one[1]: functions[dict(_fields(one[4]))[1]] for one in (dict(_fields(field)) for field in profile.get(4, []))}
    stacks = {}
    for field in profile.get(2, []):
        sample = dict(_fields(field))
        values = _packed(sample[2])
        equal(len(values), len(profile[1]), "values of a sample")
        _add(stacks, [locations[i] for i in reversed(_packed(sample.get(1, b"")))], values[value])
    types = [tuple(strings[i] for i in dict(_fields(field)).values()) for field in profile[1]]
    return stacks, types


def tree(body):
    """Our own JSON: self of each node under its path."""
    stacks, texts = {}, []
    for i, node in enumerate(body["nodes"]):
        expect(node["caller"] is None or node["caller"] < i, f"node {i} has caller {node['caller']}")
        texts.append((texts[node["caller"]] if node["caller"] is not None else []) + [node["name"]])
        if node["self_samples"]:
            _add(stacks, texts[-1], node["self_samples"])
    return stacks
