"""python3 -m cowshim [OPTION]... SCRIPT | -m MODULE | -c CODE | - [ARGUMENT]...

Becomes `python3 SCRIPT ...` under the shim: the same interpreter with the same options of its own, LD_PRELOAD set. It is what
`cowshim run` does, where the command is not at hand (a wheel in a virtual environment).
"""

from __future__ import annotations

import difflib
import importlib.util
import os
import subprocess
import sys

from . import __version__, _library

# The variables of src/base/config.def; a test compares. What is None must be given a value, the other may stand alone.
SETTINGS = {"mode": None, "scope": None, "min-size": None, "log": None, "stats": "stderr", "huge": None, "policy": None,
            "programs": None, "coredump": None}
# Modules whose enable() is called before the program begins.
FIRST = {"torch": "cowshim.torch"}
USAGE = 125  # env(1) and timeout(1): a program's own exit code can be told from ours


class Wrong(Exception):
    """The command line is."""


def _known_first() -> list[str]:
    return [name for name, module in FIRST.items() if importlib.util.find_spec(module) is not None]


def _help() -> str:
    lines = ["Usage: python3 -m cowshim [OPTION]... SCRIPT|-m MODULE|-c CODE|- [ARGUMENT]...",
             "Runs it with this Python under the shim: a copy of a large array costs only the",
             "pages that are changed afterwards. Python's own options go before -m cowshim.",
             "",
             "Options; each sets a variable that libcowshim(7) describes:"]
    for name, alone in SETTINGS.items():
        lines.append("  --" + name + (" VALUE" if alone is None else "[=VALUE]").ljust(26 - len(name)) + variable(name))
    lines += [f"  --{name}".ljust(30) + f"{FIRST[name]}.enable() before it begins" for name in _known_first()]
    return "\n".join([*lines, "  --help, --version"])


def variable(name: str) -> str:
    return "COWSHIM_" + name.upper().replace("-", "_")


def option(word: str, following: list[str], others: list[str]) -> tuple[str, str]:
    """An option of ours with its value, which may be the next word; others: names that may have been meant as well. Raises Wrong."""
    name, equals, value = word[2:].partition("=")
    if name not in SETTINGS:
        near = difflib.get_close_matches(name, [*SETTINGS, *others], 1)
        raise Wrong(f"--{name} is not an option" + (f"; did you mean --{near[0]}?" if near else ""))
    if equals:
        return name, value
    alone = SETTINGS[name]
    if alone is not None:
        return name, alone
    if not following:
        raise Wrong(f"--{name} needs a value")
    return name, following.pop(0)


def parse(words: list[str]) -> tuple[dict[str, str], list[str], list[str]]:
    """Variables to set, modules to begin with, and what Python shall run with its arguments. Raises Wrong."""
    rest, settings, first = list(words), {}, []
    while rest and rest[0].startswith("--"):
        word = rest.pop(0)
        if word == "--":
            break
        if word[2:] in _known_first():
            first.append(FIRST[word[2:]])
            continue
        name, value = option(word, rest, [*_known_first(), "help", "version"])
        settings[variable(name)] = os.path.abspath(value) if name == "stats" and value != "stderr" else value
    if not rest:
        raise Wrong("no script is given")
    if rest[0].startswith("-") and rest[0] != "-" and not rest[0].startswith(("-m", "-c")):
        raise Wrong(f"{rest[0]} is an option of Python: it goes before -m cowshim")
    if rest[0] in ("-m", "-c") and len(rest) == 1:
        raise Wrong(f"{rest[0]} needs a value")
    return settings, first, rest


def interpreter_options(count: int) -> list[str]:
    """What stood between `python3` and `-m cowshim`, where `count` words followed."""
    words = list(getattr(sys, "orig_argv", ()))
    head = words[1:len(words) - count]
    if len(head) >= 2 and head[-1] == "cowshim" and head[-2].startswith("-") and head[-2].endswith("m"):
        return head[:-2] + ([head[-2][:-1]] if len(head[-2]) > 2 else [])
    if head and head[-1].startswith("-") and head[-1].endswith("mcowshim"):
        flags = head[-1][:-len("mcowshim")]
        return head[:-1] + ([flags] if flags != "-" else [])
    # Before Python 3.10 it does not keep its command line, but multiprocessing has the same need.
    return list(getattr(subprocess, "_args_from_interpreter_flags")())


def main(words: list[str]) -> int:
    if words[:1] in (["--help"], ["-h"]):
        print(_help())
        return 0
    if words[:1] in (["--version"], ["-V"]):
        print(f"cowshim {__version__}")
        return 0
    try:
        settings, first, program = parse(words)
        command = [_library.interpreter(), *interpreter_options(len(words))]
        if first:
            command += ["-m", "cowshim._first", *first, "--"]
        environment = _library.environment(settings)
        os.execve(command[0], command + program, environment)
    except Wrong as error:
        print(f"cowshim: error: {error}\nTry 'python3 -m cowshim --help'.", file=sys.stderr)
        return USAGE
    except _library.Unusable as error:
        print(f"cowshim: error: {error}", file=sys.stderr)
        return error.status
    except OSError as error:
        print(f"cowshim: error: {error.filename or sys.executable}: {error.strerror}", file=sys.stderr)
        return 126


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
