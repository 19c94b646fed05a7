"""Memory and time against the number of copies, and against the share of the pages that is changed: what plot.py draws."""

import statistics

import grid
import runner

MIB = 1 << 20


def measure(program, quick):
    size = (4 if quick else 64) * MIB
    copies = [1, 2, 5, 10] if quick else [1, 2, 5, 10, 20, 35, 50]
    by_copies = [point(program, count, size, count, 1) for count in copies]
    size = (16 if quick else 256) * MIB
    by_share = [point(program, share, size, 1, share) for share in (0, 1, 5, 10, 20, 40, 60, 80, 100)]
    return [
        {"x": "copies", "title": f"live copies, 1 % of each changed, of {by_copies[0]['size']} MiB", "points": by_copies},
        {"x": "% changed", "title": f"one copy of {by_share[0]['size']} MiB, part of it changed", "points": by_share},
    ] + [rounds(size, 1 if quick else 5) for size in (grid.SIZES[:1] if quick else grid.SIZES)]


def rounds(size, repeat):
    """Processor time of one round of a loop, in ms, natively, under the shim and by hand: medians."""
    points = []
    for share in grid.SHARES:
        row = grid.measure((size, share, "head", "dropped"), grid.LIBRARY, repeat)
        took = {"native": row["native_us"], "shim": row["shim_us"], "hand": grid.by_hand(size, share, repeat)}
        points.append({"x": share} | {side: {"time": us / 1000} for side, us in took.items()})
        print(f"{share:8}  {points[-1]}", flush=True)
    return {"x": "% changed", "title": f"copy {size} MiB, change, drop", "points": points}


def point(program, x, size, copies, percent, repeat=3):
    """Memory in MiB of source and copies together, time in ms of the copies and the changes: medians."""
    command = [program, "copies", f"size={size}", f"copies={copies}", f"percent={percent}"]
    runs = {"native": [], "shim": []}
    for _ in range(repeat):
        for side, done in runs.items():
            done.append(runner.run(command, side))
    found = {"x": x, "size": size // MIB}
    for side, done in runs.items():
        found[side] = {"memory": statistics.median((run.marks[-1].memory - run.marks[0].memory) / MIB for run in done),
                       "time": statistics.median(run.result["copy"] + run.result["change"] for run in done)}
    print(f"{x:8}  {found['native']}  {found['shim']}", flush=True)
    return found
