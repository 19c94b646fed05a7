"""python3 -m cowshim._first MODULE... -- SCRIPT | -m MODULE | -c CODE | - [ARGUMENT]...

Calls enable() of the modules, then does what Python does with the rest of the line, as near as that can be done from within.
"""

from __future__ import annotations

import builtins
import importlib
import io
import os
import runpy
import sys
import types


def _fresh_main(name: str | None) -> dict[str, object]:
    """A module __main__ that stays: what the program leaves running finds its names, and pickle finds its classes."""
    module = types.ModuleType("__main__")
    module.__dict__["__builtins__"] = builtins
    if name is not None:
        module.__file__ = name
    sys.modules["__main__"] = module
    return module.__dict__


def _run_script(path: str) -> None:
    if os.path.isdir(path) or not path.endswith((".py", ".pyw")) and _is_archive(path):
        runpy.run_path(path, run_name="__main__")
        return
    with io.open_code(path) as file:
        code = compile(file.read(), path, "exec")
    exec(code, _fresh_main(path))


def _is_archive(path: str) -> bool:
    import zipfile

    return zipfile.is_zipfile(path)


def run(words: list[str]) -> None:
    """The words are those that follow `python3` on a command line. sys.path[0] is what Python would have put there."""
    kind, value, rest = words[0], None, words[1:]
    if kind[:2] in ("-m", "-c"):
        value = kind[2:] or rest.pop(0)
        kind = kind[:2]
    sys.argv = [kind if value is not None or kind == "-" else words[0], *rest]
    safe = getattr(sys.flags, "safe_path", False) or sys.flags.isolated
    # This module itself was run by -m, so that the current folder is in front.
    if not safe and kind != "-m":
        sys.path[0] = "" if value is not None or kind == "-" else os.path.dirname(os.path.realpath(words[0]))
    if kind == "-m":
        assert value is not None
        runpy.run_module(value, run_name="__main__", alter_sys=True)
    elif value is not None:
        exec(compile(value, "<string>", "exec"), _fresh_main(None))
    elif kind == "-":
        exec(compile(sys.stdin.read(), "<stdin>", "exec"), _fresh_main("<stdin>"))
    else:
        _run_script(words[0])


def main(words: list[str]) -> None:
    end = words.index("--")
    for name in words[:end]:
        importlib.import_module(name).enable()
    try:
        run(words[end + 1:])
    except OSError as error:
        if error.filename != words[end + 1]:
            raise
        print(f"{sys.executable}: can't open file {error.filename!r}: [Errno {error.errno}] {error.strerror}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main(sys.argv[1:])
