#!/usr/bin/python3 -B
"""The benchmark: every row with and without the shim in turn, a table of medians against the bars, and a JSON file.

    make bench BENCH_ARGS='--quick'
    bench/bench.py --rows 'generations*,many' --tier memfd --json out.json
"""

import argparse
import fnmatch
import json
import os
import signal
import statistics
import sys
import tempfile

import curves
import grid
import machine
import rows as table
import runner

PROGRAM = os.environ.get("COWSHIM_WORKLOADS", os.path.join(runner.stepped.BUILD, "bench", "workloads"))


def main():
    options = parse()
    os.environ.pop("LD_PRELOAD", None)
    os.environ["BENCH_CLOCK"] = options.clock
    if options.tier == "memfd":
        os.environ["COWSHIM_HUGE"] = "off"
    for path in runner.stepped.LIBRARY, runner.EMPTY, PROGRAM:
        if not os.path.exists(path):
            sys.exit(f"bench: no {path}; run `make bench`, or set COWSHIM_BUILD to the build directory")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: terminated"))  # so that what was paused is restored
    with tempfile.TemporaryDirectory() as scratch:
        table.write_build_job(scratch, 10 if options.quick else 50)
        chosen = choose(table.all_rows(PROGRAM, scratch, options.quick), options)
        if options.list:
            for row in chosen:
                print(f"{row.name:24} {row.checks[0].title}")
            return
        with machine.host.memory_stays() as note:
            if not options.quick:
                machine.warm(max(row.needs for row in chosen))
            facts = dict(machine.facts(), quick=options.quick, tier=tier_in_use(options), clock=options.clock,
                         memory=note or machine.memory_kept())
            print("\n".join(f"{name:10} {value}" for name, value in facts.items()), flush=True)
            if options.curves:
                measure_curves(facts, options)
            else:
                summarize(measure_rows(chosen, facts, options))
            if options.rows == "*" and not options.curves:
                measure_grid(options)


def measure_curves(facts, options):
    save({"facts": facts, "rows": [], "curves": curves.measure(PROGRAM, options.quick)}, options)


def measure_grid(options):
    if options.quick:
        found = grid.measure_all(grid.cells([1], [0, 10], ["head"], ["dropped"]), grid.LIBRARY, 1)
    else:
        found = grid.measure_all(grid.cells(grid.SIZES, grid.SHARES, grid.WHERE, grid.LIVES), grid.LIBRARY, options.repeat or 5)
    if options.json:
        with open(options.json) as text:
            save(dict(json.load(text), grid=found), options)


def measure_rows(chosen, facts, options):
    """Saved after every row: what was measured is kept when the rest is broken off."""
    found = {"facts": facts, "rows": []}
    if options.update and os.path.exists(options.json):
        with open(options.json) as text:
            before = json.load(text)
        if any(before["facts"].get(name) != facts[name] for name in ("tier", "clock", "quick")):
            sys.exit(f"bench: {options.json} was measured otherwise (tier, clock or --quick)")
        found["rows"] = before["rows"]
    measured = []
    for row in chosen:
        measured.append(measure(row, options, facts["tier"]))
        found["rows"] = [other for other in found["rows"] if other["name"] != row.name] + measured[-1:]
        save(found, options)
    return measured


def save(found, options):
    if options.json:
        with open(options.json, "w") as out:
            json.dump(found, out, indent=1)
            out.write("\n")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="*", help="names or patterns, separated by commas (default: all, and the grid)")
    parser.add_argument("--list", action="store_true", help="only the names of the rows")
    parser.add_argument("--quick", action="store_true", help="small arrays, two runs: shows that all works, not how fast it is")
    parser.add_argument("--repeat", type=int, help="how often each row is run on each side")
    parser.add_argument("--curves", action="store_true", help="instead of the rows, what plot.py draws")
    parser.add_argument("--json", metavar="FILE", help="where the figures go")
    parser.add_argument("--update", action="store_true", help="keep what the file has of rows that are not measured now")
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall",
                        help="cpu: time on the processor only, where others use the machine too")
    parser.add_argument("--tier", choices=["huge", "memfd"], default="huge", help="memfd: COWSHIM_HUGE=off")
    options = parser.parse_args()
    if options.update and not options.json:
        parser.error("--update needs --json FILE")
    return options


def choose(rows, options):
    patterns = options.rows.split(",")
    chosen = [row for row in rows if any(fnmatch.fnmatch(row.name, pattern) for pattern in patterns)]
    if not chosen:
        sys.exit(f"bench: no row is called {options.rows}; --list shows their names")
    return chosen


def tier_in_use(options):
    """The kind of store that a large first copy really gets here; "none" if it is not substituted."""
    stores = runner.run([PROGRAM, "first", f"size={16 << 20}"], "shim").stores
    found = "huge" if "huge" in stores else "memfd" if stores else "none"
    if found != options.tier:
        print(f"bench: asked for the tier {options.tier}, but the stores here are: {found}", file=sys.stderr)
    return found


def measure(row, options, tier):
    """One row as a dictionary for the JSON file; prints its lines of the table."""
    needed = row.needs + (1 << 30)
    if machine.available() < needed:
        print(f"{row.name}: not run: needs {needed >> 30} GiB of free memory", flush=True)
        return {"name": row.name, "skipped": "memory"}
    repeat = options.repeat or (2 if options.quick else row.repeat)
    warm = 0 if options.quick else row.warm
    commands = {"native": row.native, "shim": row.shim, "empty": row.shim if row.empty else None}
    sides = {side: [] for side in commands}
    try:
        for i in range(warm + repeat):
            for side, command in commands.items():
                if command is not None:
                    done = runner.run(command, side)
                    sides[side] += [done] if i >= warm else []
        agree(sides)
    except runner.Failed as error:
        print(f"{row.name}: FAILED: {error}", flush=True)
        return {"name": row.name, "failed": str(error)}
    checks = [judge(check, sides, tier) for check in row.checks]
    print(f"{row.name}  (median of {repeat})")
    for check in checks:
        print("\n".join("  " + line for line in lines_of(check)), flush=True)
    return {"name": row.name, "group": row.group, "repeat": repeat, "checks": checks}


def agree(sides):
    """Programs that say what they computed must say the same on both sides."""
    digests = {run.result["digest"] for runs in sides.values() for run in runs if "digest" in run.result}
    if len(digests) > 1:
        raise runner.Failed("the results differ natively and under the shim")


def judge(check, sides, tier):
    native, shim, empty = ([check.figure(run) for run in sides[side]] for side in ("native", "shim", "empty"))
    bar = check.bar.get(tier) if isinstance(check.bar, dict) else check.bar
    judged = {"title": check.title, "unit": check.unit, "kind": check.kind, "bar": bar,
              "native": statistics.median(native) if native else None, "shim": statistics.median(shim),
              "all_native": native, "all_shim": shim, "ratio": None, "verdict": ""}
    if native and judged["native"]:
        judged["ratio"] = judged["shim"] / judged["native"]
    if empty:
        judged["empty"] = statistics.median(empty)
        judged["ratio_to_empty"] = judged["shim"] / judged["empty"]
    if bar is not None and check.kind != "shown":
        judged["verdict"] = "OK" if compared(judged) <= bar else "SHORT"
    reason = check.reason.get(tier, "") if isinstance(check.reason, dict) else check.reason
    if judged["verdict"] == "SHORT" and reason:
        judged["reason"] = reason
    return judged


def compared(judged):
    if judged["kind"] == "ratio":
        return judged["ratio"]
    return judged["shim"] - (judged["native"] if judged["kind"] == "more" else 0)


def lines_of(check):
    lines = [line_of(check)]
    if "empty" in check:
        lines.append(f"    an empty library preloaded: {number(check['empty'])} {check['unit']}; "
                     f"we against that: {number(check['ratio_to_empty'])}")
    if "reason" in check:
        lines.append("    " + check["reason"])
    return lines


def line_of(check):
    native = "-" if check["native"] is None else number(check["native"])
    ratio = "-" if check["ratio"] is None else number(check["ratio"])
    sign = {"ratio": "x", "more": "+", "limit": "", "shown": ""}[check["kind"]]
    bar = "" if check["bar"] is None else f"<= {sign}{number(check['bar'])}"
    return (f"{check['title']:74} {native:>10} {number(check['shim']):>10} {check['unit']:6} {ratio:>9}  {bar:>10}  "
            f"{check['verdict']}").rstrip()


def number(value):
    if abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.5f}"


def summarize(measured):
    if not measured:
        return
    checks = [(row["name"], check) for row in measured for check in row.get("checks", [])]
    short = [(name, check) for name, check in checks if check["verdict"] == "SHORT"]
    print(f"\n{sum(check['verdict'] == 'OK' for _, check in checks)} bars met, {len(short)} short")
    for name, check in short:
        first, *more = lines_of(check)
        print(f"  SHORT {name:22} {first.lstrip()}")
        print("".join(f"        {line}\n" for line in more), end="")
    failed = [row["name"] for row in measured if "failed" in row]
    if failed:
        sys.exit(f"bench: failed: {', '.join(failed)}")


main()
