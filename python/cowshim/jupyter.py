# SPDX-License-Identifier: MIT
"""Jupyter: a kernel whose Python runs under the shim, and a line after each cell that says what it saved.

    python3 -m cowshim.jupyter install [--prefix DIR | --sys-prefix] [--name NAME] [OPTION]...

makes the kernel, of the Python that runs this; `cowshim jupyter install` is the same. In a notebook with that kernel

    %load_ext cowshim

prints after each cell how much memory the copies share now.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from typing import Any

from . import Stats, __main__, _library, active, saved, stats

HELP = """\
Usage: cowshim jupyter install [OPTION]...
Makes a kernel for Jupyter: the Python that is python3 here, under the shim.
Then choose "Python 3 (cowshim)" in Jupyter, and say %load_ext cowshim in a
notebook to see after each cell what is saved.

Options:
  --sys-prefix
          in the environment of this Python instead of the user's folder
  --prefix FOLDER
          in FOLDER/share/jupyter/kernels
  --name NAME
          of the kernel, cowshim if not said otherwise
  --help
          this text

And those of `cowshim run` that begin with two dashes, such as --policy memory;
they hold for the kernel and for all that it starts.

`jupyter kernelspec remove NAME` takes the kernel away."""


def kernels(words: list[str]) -> str:
    """The folder of kernels that the options at the head of words name; takes them off. Raises Wrong."""
    if words[:1] == ["--sys-prefix"]:
        words.pop(0)
        return os.path.join(sys.prefix, "share", "jupyter", "kernels")
    if words[:1] == ["--prefix"]:
        if len(words) < 2:
            raise __main__.Wrong("--prefix needs a value")
        words.pop(0)
        return os.path.join(os.path.abspath(words.pop(0)), "share", "jupyter", "kernels")
    data = os.environ.get("XDG_DATA_HOME") or os.path.join(os.path.expanduser("~"), ".local", "share")
    return os.path.join(os.environ.get("JUPYTER_DATA_DIR") or os.path.join(data, "jupyter"), "kernels")


def parse(words: list[str]) -> tuple[str, str, dict[str, str]]:
    """The folder of kernels, the name of ours, and variables of the shim. Raises Wrong."""
    rest, folder, name, settings = list(words), None, "cowshim", {}
    while rest:
        if rest[0] in ("--prefix", "--sys-prefix"):
            folder = kernels(rest)
            continue
        word = rest.pop(0)
        if word == "--name" and rest:
            name = rest.pop(0)
        elif word.startswith("--"):
            option, value = __main__.option(word, rest, ["name", "prefix", "sys-prefix", "help"])
            settings[__main__.variable(option)] = value
        else:
            raise __main__.Wrong(f"{word} is not an option")
    if not name or not all(letter.isalnum() or letter in "-_." for letter in name):
        raise __main__.Wrong(f"--name {name}: accepted are letters, digits, and - _ .")
    return folder or kernels([]), name, settings


def kernel(name: str, settings: dict[str, str]) -> dict[str, Any]:
    """What kernel.json says. Raises Unusable."""
    environment = {"LD_PRELOAD": _library.preload(_library.find(), ""), **settings}
    place = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    # A folder of packages of another Python has more in it than ours.
    if not place.endswith("-packages"):
        there = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and os.path.abspath(path) != place]
        environment["PYTHONPATH"] = os.pathsep.join([place, *there])
    return {"argv": [_library.interpreter(), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": "Python 3 (cowshim)" if name == "cowshim" else f"Python 3 (cowshim, {name})",
            "language": "python", "env": environment, "metadata": {"debugger": True}}


def install(words: list[str]) -> str:
    """Writes kernel.json; its path. Raises Wrong, Unusable, OSError."""
    folder, name, settings = parse(words)
    if importlib.util.find_spec("ipykernel") is None:
        raise _library.Unusable(f"{_library.interpreter()} has no ipykernel; install Debian's package python3-ipykernel, or run "
                                f"{_library.interpreter()} -m pip install ipykernel")
    text = json.dumps(kernel(name, settings), indent=1)
    os.makedirs(os.path.join(folder, name), exist_ok=True)
    path = os.path.join(folder, name, "kernel.json")
    with open(path + ".new", "w") as file:
        file.write(text + "\n")
    os.replace(path + ".new", path)
    return path


def main(words: list[str]) -> int:
    if words[:1] in (["--help"], ["-h"]) or words[:1] == ["install"] and words[1:] in (["--help"], ["-h"]):
        print(HELP)
        return 0
    try:
        if words[:1] != ["install"]:
            raise __main__.Wrong(f"{words[0]} is not a command of cowshim jupyter" if words else "no command is given; there is install")
        print(f"cowshim: {install(words[1:])} is written; choose the kernel in Jupyter, and say %load_ext cowshim in a notebook")
        return 0
    except __main__.Wrong as error:
        print(f"cowshim: error: {error}\nTry 'cowshim jupyter --help'.", file=sys.stderr)
        return __main__.USAGE
    except _library.Unusable as error:
        print(f"cowshim: error: {error}", file=sys.stderr)
        return error.status
    except OSError as error:
        print(f"cowshim: error: {error.filename}: {error.strerror}", file=sys.stderr)
        return __main__.USAGE


class Meter:
    """Prints after each cell what is saved, and what the cell changed of that."""

    def __init__(self) -> None:
        self.saved, self.stats = saved(), stats()

    def words(self, now: int, figures: Stats) -> str | None:
        """None where there is nothing to say: nothing is shared, and the cell made no large copy."""
        shared = figures.copies_shared - self.stats.copies_shared
        plain = figures.copies_plain - self.stats.copies_plain
        change = now - self.saved
        if max(now, abs(change)) < 1 << 20 and shared + plain == 0:
            return None
        text = f"cowshim: {_mebibytes(now)} saved"
        if abs(change) >= 1 << 20:
            text += f", {_mebibytes(abs(change))} {'more' if change > 0 else 'less'} than before this cell"
        if shared + plain > 0:
            text += f"; {shared} of {shared + plain} large copies shared"
        return text

    def after_cell(self, result: object = None) -> None:
        now, figures = saved(), stats()
        text = self.words(now, figures)
        self.saved, self.stats = now, figures
        if text is not None:
            print(text)


def _mebibytes(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"


_meters: dict[int, Meter] = {}


def load(shell: Any) -> None:
    """What %load_ext cowshim does."""
    if not active():
        print("cowshim: the shim is not loaded in this kernel; `cowshim jupyter install` makes one that has it, Python 3 (cowshim)")
        return
    if id(shell) not in _meters:
        _meters[id(shell)] = Meter()
        shell.events.register("post_run_cell", _meters[id(shell)].after_cell)


def unload(shell: Any) -> None:
    meter = _meters.pop(id(shell), None)
    if meter is not None:
        shell.events.unregister("post_run_cell", meter.after_cell)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
