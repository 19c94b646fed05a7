"""The grid of README's costs: what a loop that copies, changes and drops takes under the shim, as a share of what it takes natively.

    grid.py [--sizes 1,8,64] [--shares 0,1,10,50,100] [--where head,...] [--life dropped,...] [--reps 5] [--json FILE]

Processor time, native and shim in turn, medians; `first` is rounds 1 to 20 together, `later` all after them."""

import argparse
import json
import math
import os
import statistics
import subprocess

BUILD = os.environ.get("COWSHIM_BUILD", os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "build"))
LIBRARY = os.path.join(BUILD, "src", ".libs", "libcowshim.so")
ROUNDS = {1: 420, 8: 120, 64: 30}
SIZES = [1, 8, 64]
SHARES = [0, 1, 10, 50, 100]
WHERE = ["head", "middle", "scattered", "window", "source"]
LIVES = ["dropped", "ring", "chain"]


def once(cell, library):
    environment = dict(os.environ)
    if library:
        environment["LD_PRELOAD"] = library
    size, share, where, life = cell
    command = [os.path.join(BUILD, "bench", "grid"), str(size), str(share), where, life, str(ROUNDS.get(size, 30))]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True, timeout=600)
    return [float(word) for word in done.stdout.split()]


def measure(cell, library, reps):
    native, shim = [], []
    for turn in range(reps):
        for side in (None, library) if turn % 2 == 0 else (library, None):
            (shim if side else native).append(once(cell, side))
    native, shim = ([statistics.median(run[k] for run in runs) for k in (0, 1)] for runs in (native, shim))
    rounds = ROUNDS.get(cell[0], 30) - 20
    return {"cell": cell, "native_us": native[1] / rounds, "shim_us": shim[1] / rounds,
            "first": shim[0] / native[0], "later": shim[1] / native[1], "lost_first_us": shim[0] - native[0]}


def cells(sizes, shares, wheres, lives):
    """All cells; a share of 0 is changed nowhere, so that it has one place."""
    return [(size, share, where, life) for size in sizes for share in shares
            for where in (wheres if share else wheres[:1]) for life in lives]


def by_hand(size, share, reps):
    """Microseconds a round of the same loop in which the program itself does what the shim should find out."""
    runs = [once((size, share, "head", "hand"), None)[1] for _ in range(reps)]
    return statistics.median(runs) / (ROUNDS.get(size, 30) - 20)


def measure_all(chosen, library, reps):
    rows = []
    print(f"{'MiB':>4} {'%':>4} {'where':10} {'life':8} {'native us':>10} {'shim us':>10} {'later':>6} {'first':>6} {'lost ms':>8}")
    for cell in chosen:
        row = measure(cell, library, reps)
        rows.append(row)
        print("{:4} {:4} {:10} {:8} ".format(*cell) + f"{row['native_us']:10.1f} {row['shim_us']:10.1f} "
              f"{row['later']:6.2f} {row['first']:6.2f} {row['lost_first_us'] / 1000:8.1f}", flush=True)
    for size in sorted({row["cell"][0] for row in rows}):
        say_sum([row for row in rows if row["cell"][0] == size], size)
    return rows


def say_sum(rows, size):
    mean = math.exp(sum(math.log(row["later"]) for row in rows) / len(rows))
    print(f"{size} MiB: geometric mean {mean:.2f}, worst {max(row['later'] for row in rows):.2f}, "
          f"cells above 1.15: {sum(row['later'] > 1.15 for row in rows)} of {len(rows)}")


def numbers(text):
    return [int(word) for word in text.split(",")]


def words(text):
    return text.split(",")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sizes", type=numbers, default=SIZES)
    options.add_argument("--shares", type=numbers, default=SHARES)
    options.add_argument("--where", type=words, default=WHERE)
    options.add_argument("--life", type=words, default=LIVES)
    options.add_argument("--reps", type=int, default=5)
    options.add_argument("--library", default=LIBRARY)
    options.add_argument("--json")
    given = options.parse_args()
    rows = measure_all(cells(given.sizes, given.shares, given.where, given.life), given.library, given.reps)
    if given.json:
        with open(given.json, "w") as out:
            json.dump(rows, out, indent=1)


if __name__ == "__main__":
    main()
