#!/usr/bin/python3 -B
"""plot.py FILE.json OUT.svg: draws the curves that `bench.py --curves --json FILE.json` measured, natively and under the shim."""

import json
import sys
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 380, 230           # of one panel, inside its axes
LEFT, TOP, GAP_X, GAP_Y = 70, 66, 90, 84
SMALL = 227                        # the width of one of three in a row
NAMES = {"native": "without cowshim", "shim": "with cowshim", "hand": "by hand"}

# A viewer that prefers dark gets dark; one that ignores the rule shows black on white, whatever is around the picture.
STYLE = """
    .back { fill: #ffffff } text { fill: #1f2328 } .dim { fill: #59636e } .grid { stroke: #d1d9e0 }
    .native { fill: #b4433a; stroke: #b4433a } .shim { fill: #1f6feb; stroke: #1f6feb } .hand { fill: #59636e; stroke: #59636e }
    polyline { stroke-width: 2 } polyline.hand { stroke-dasharray: 4 3 }
    @media (prefers-color-scheme: dark) {
        .back { fill: #0d1117 } text { fill: #e6edf3 } .dim { fill: #9198a1 } .grid { stroke: #30363d }
        .native { fill: #ff7b72; stroke: #ff7b72 } .shim { fill: #58a6ff; stroke: #58a6ff }
        .hand { fill: #9198a1; stroke: #9198a1 }
    }
    polyline.native, polyline.shim, polyline.hand { fill: none }
"""


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1]) as text:
        run = json.load(text)
    if not run.get("curves"):
        sys.exit(f"plot: no curves in {sys.argv[1]}; measure them with bench.py --curves")
    with open(sys.argv[2], "w") as out:
        out.write(draw(run["curves"], run["facts"]))


def draw(curves, facts):
    width = LEFT + 2 * WIDTH + GAP_X + 30
    rows = 2 + (len(curves) > 2)
    height = TOP + rows * HEIGHT + (rows - 1) * GAP_Y + 80
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
             'font-family="Helvetica, Arial, sans-serif" font-size="12">',
             f"<style>{STYLE}</style>", f'<rect class="back" width="{width}" height="{height}" rx="6"/>']
    parts += [legend(side, LEFT + i * 150) for i, side in enumerate(NAMES)]
    for column, curve in enumerate(curves[:2]):
        for row, (what, unit) in enumerate((("memory", "MiB"), ("time", "ms"))):
            x = LEFT + column * (WIDTH + GAP_X)
            y = TOP + row * (HEIGHT + GAP_Y)
            parts.append(panel(curve, what, unit, x, y, WIDTH))
    for column, curve in enumerate(curves[2:]):
        parts.append(panel(curve, "time", "ms", LEFT + column * (SMALL + GAP_X * 2 / 3), TOP + 2 * (HEIGHT + GAP_Y), SMALL))
    said = (f"{facts['date']}, {facts['commit']}; {facts['machine']}; Linux {facts['kernel']}, THP {facts['thp']}; "
            f"stores: {facts['tier']}; clock: {facts['clock']}")
    parts.append(text(LEFT, height - 14, said, size=10, dim=True))
    return "\n".join(parts) + "\n</svg>\n"


def legend(side, x):
    return f'<rect x="{x}" y="20" width="22" height="4" class="{side}"/>' + text(x + 28, 26, NAMES[side], size=13)


def panel(curve, what, unit, left, top, width):
    points = curve["points"]
    sides = [side for side in NAMES if side in points[0]]
    last = max(point["x"] for point in points) or 1
    ticks = nice_ticks(max(point[side][what] for point in points for side in sides))

    def place(x, y):
        return left + x / last * width, top + HEIGHT - y / ticks[-1] * HEIGHT

    parts = [text(left, top - 12, f"{what}, {unit}: {curve['title']}", size=12, weight="bold")]
    for tick in ticks:
        _, y = place(0, tick)
        parts.append(f'<line x1="{left}" x2="{left + width}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        parts.append(text(left - 8, y + 4, f"{tick:g}", anchor="end"))
    for point in spread(points, last):
        x, _ = place(point["x"], 0)
        parts.append(text(x, top + HEIGHT + 18, f"{point['x']}", anchor="middle"))
    parts.append(text(left + width / 2, top + HEIGHT + 36, curve["x"], anchor="middle"))
    for side in sides:
        places = [place(point["x"], point[side][what]) for point in points]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{line}" class="{side}"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" class="{side}"/>' for x, y in places]
    return "\n".join(parts)


def spread(points, last):
    """The points whose labels do not touch."""
    shown = []
    for point in points:
        if not shown or (point["x"] - shown[-1]["x"]) / last > 0.06:
            shown.append(point)
    return shown


def nice_ticks(highest):
    step = 10.0 ** (len(str(int(highest))) - 1)
    while highest / step < 4:
        step /= 2
    while highest / step > 8:
        step *= 2
    count = int(highest / step) + 1
    return [step * i for i in range(count + 1)]


def text(x, y, words, size=11, anchor="start", weight="normal", dim=False):
    shade = ' class="dim"' if dim else ""
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}"{shade}>'
            f'{escape(words)}</text>')


main()
