"""TAP: real answers of the command are valid by doc/schema, which names every member of them."""

import copy
import json
import os
import subprocess
import sys
import tempfile

import jsonschema

ROOT = os.environ["TOP_SRCDIR"]
BUILD = os.environ["TOP_BUILDDIR"]
COWSHIM = os.path.join(BUILD, "command", "cowshim")
TARGET = os.path.join(BUILD, "command", "tests", "target")
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from tap import Tap  # noqa: E402

tap = Tap()


def strict(schema):
    """The schema with nothing allowed that it does not name: readers shall allow it, but here it would be forgotten."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    result = {name: strict(part) for name, part in schema.items()}
    if isinstance(schema.get("properties"), dict):
        result["additionalProperties"] = False
    return result


def validator(name):
    with open(os.path.join(ROOT, "doc", "schema", name + ".json")) as file:
        schema = json.load(file)
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(strict(schema))


def problems(name, value):
    return [f"{list(error.absolute_path)}: {error.message[:300]} {[part.message[:300] for part in error.context]}"
            for error in validator(name).iter_errors(value)]


def check(name, promise, text):
    """The text is one value. Returns it."""
    try:
        value = json.loads(text)
    except ValueError as error:
        tap.check(False, promise, f"{error}: {text[:500]}")
        return None
    found = problems(name, value)
    tap.check(not found, promise, "\n".join(found))
    return value


def refuses(name, promise, value, change):
    """A value that was valid is so no more when it is changed."""
    if value is None:
        return
    changed = copy.deepcopy(value)
    change(changed)
    tap.check(problems(name, changed), promise)


def run(*words, **more):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COWSHIM_")}
    environment.update(COWSHIM_LIBRARY=os.environ["COWSHIM_LIBRARY"], COWSHIM_POLICY="memory", **more)
    return subprocess.run([COWSHIM, *words], env=environment, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=60).stdout


def tell_stat():
    environment = dict(os.environ, COWSHIM_POLICY="memory", LD_PRELOAD=os.environ["COWSHIM_LIBRARY"])
    with subprocess.Popen([TARGET, "3", "512"], env=environment, text=True, stdout=subprocess.PIPE) as target:
        target.stdout.readline()
        one = check("stat", "stat --json", run("stat", "--json", str(target.pid)))
        tap.check(one and one[0]["pid"] == target.pid and one[0]["counters"]["copies_shared"] == 3, "and it is of that process", one)
        check("stat", "stat --all --json", run("stat", "--all", "--json"))
        target.kill()
    refuses("stat", "a member that the schema does not name is found", one, lambda value: value[0].update(new=1))
    refuses("stat", "a member that is missing is found", one, lambda value: value[0].pop("saved_bytes"))
    refuses("stat", "another format is found", one, lambda value: value[0].update(format=2))


def tell_programs(folder):
    """A program of ours that allocates and copies, and ends at once."""
    program = [sys.executable, "-c", "a = bytearray(8 << 20); a[:] = b'x' * len(a); b = a[:]; c = b[:]; b[5] = 1"]
    for mode in ([], ["--apply"]):
        path = os.path.join(folder, "profile.json")
        run("profile", *mode, "-o", path, "--", *program)
        with open(path) as file:
            value = check("profile", " ".join(["profile", *mode]), file.read())
        tap.check(value and value["processes"] and value["processes"][0]["sites"] and value["processes"][0]["timeline"], "and it says something", value)
    lines = os.path.join(folder, "lines")
    run("run", "--stats=" + lines, "--", *program)
    with open(lines) as file:
        value = check("stats", "a line of COWSHIM_STATS", file.read())
    tap.check(value and value["copies_shared"] > 0, "and it says something", value)
    path = os.path.join(folder, "report.json")
    run("report", "-o", path, lines)
    with open(path) as file:
        check("stats", "report of it", file.read())


def main():
    tell_stat()
    check("doctor", "doctor --json", run("doctor", "--json"))
    with tempfile.TemporaryDirectory() as folder:
        tell_programs(folder)
    tap.end()


main()
