#!/usr/bin/python3 -B
"""compare.py BEFORE.json AFTER.json: what changed between two runs of the benchmark, check by check.

A ratio is compared with a ratio, because absolute times drift from run to run; a check without one by its own figure.
Sorted as the benchmark is; a change is marked when the ranges of the runs do not overlap."""

import json
import sys


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.splitlines()[0])
    before, after = (read(path) for path in sys.argv[1:])
    for name in sorted({*before["facts"], *after["facts"]}):
        one, other = (facts["facts"].get(name, "-") for facts in (before, after))
        print(f"{name:10} {one}" + (f"  ->  {other}" if one != other else ""))
    print(f"\n{'':24} {'':66} {'before':>10} {'after':>10} {'change':>9}")
    was = {key: check for key, check in checks(before)}
    for key, check in checks(after):
        if key in was:
            print(line(key, was[key], check))
            del was[key]
        else:
            print(f"{key[0]:24} {key[1]:66}        new")
    for key in was:
        print(f"{key[0]:24} {key[1]:66}       gone")


def read(path):
    with open(path) as text:
        return json.load(text)


def checks(run):
    return [((row["name"], check["title"].strip()), check) for row in run["rows"] for check in row.get("checks", [])]


def figure(check):
    return check["ratio"] if check["kind"] == "ratio" else check["shim"]


def line(key, before, after):
    one, other = figure(before), figure(after)
    change = f"{(other / one - 1) * 100:+.1f} %" if one else "-"
    said = before["verdict"], after["verdict"]
    verdict = said[1] if said[0] == said[1] else f"{said[0] or '-'} -> {said[1] or '-'}"
    mark = "*" if apart(before["all_shim"], after["all_shim"]) else " "
    return f"{key[0]:24} {key[1]:66} {one:10.4g} {other:10.4g} {change:>9} {mark} {verdict}".rstrip()


def apart(one, other):
    return bool(one and other) and (max(one) < min(other) or max(other) < min(one))


main()
