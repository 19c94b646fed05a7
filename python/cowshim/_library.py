"""Where libcowshim.so is, and the environment in which a program gets it."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Mapping

NAME = "libcowshim.so"
# What ld.so takes to end an entry of LD_PRELOAD; there is no way to quote them.
SEPARATORS = " :"
SANITIZERS = ("libasan.so", "libtsan.so", "libhwasan.so", "liblsan.so", "libclang_rt.")


class Unusable(Exception):
    """The library cannot be preloaded; the text says why and what to do. `status` is an exit code as env(1) has them."""

    def __init__(self, text: str, status: int = 127) -> None:
        super().__init__(text)
        self.status = status


def places() -> list[str]:
    """Beside this file (a wheel), in the build of the source tree that this file is in, in the prefix that it is installed in."""
    package = os.path.dirname(os.path.abspath(__file__))
    parent = os.path.dirname(package)
    tree = os.path.dirname(parent)
    # PREFIX/share/cowshim/python/cowshim and PREFIX/lib/python3/dist-packages/cowshim: as deep, each.
    prefix = os.path.dirname(os.path.dirname(tree))
    folders = [package]
    if os.path.exists(os.path.join(tree, "configure.ac")):
        folders.append(os.path.join(tree, "build", "src", ".libs"))
    else:
        folders += [os.path.join(prefix, library, "cowshim") for library in ("lib", "lib64")]
        folders.append(os.path.join(prefix, "lib", sysconfig.get_config_var("MULTIARCH") or "", "cowshim"))
    return [os.path.join(folder, NAME) for folder in folders]


def find() -> str:
    """The library's path. Raises Unusable."""
    named = os.environ.get("COWSHIM_LIBRARY")
    if named:
        if not os.path.exists(named):
            raise Unusable(f"COWSHIM_LIBRARY={named}: there is no such file")
        return os.path.abspath(named)
    for path in places():
        if os.access(path, os.R_OK):
            return path
    raise Unusable("\n    ".join([f"{NAME} is not found; looked at:", *places()]) + "\nSet COWSHIM_LIBRARY to its path if it is elsewhere.")


def preload(library: str, present: str) -> str:
    """LD_PRELOAD with the library in front, once: what was there comes behind, since ours calls the next allocator."""
    if any(separator in library for separator in SEPARATORS):
        raise Unusable(f"{library}: LD_PRELOAD cannot hold a path with a space or a colon; make a symbolic link without them and "
                       "set COWSHIM_LIBRARY to that", 126)
    entries = present.replace(":", " ").split()
    for entry in entries:
        if os.path.basename(entry).startswith(SANITIZERS):
            raise Unusable(f"LD_PRELOAD holds {entry}, which has its own allocator and must come first: it cannot be used with "
                           "the shim", 126)
    return ":".join([library, *(entry for entry in entries if os.path.basename(entry) != NAME)])


def environment(settings: Mapping[str, str], library: str | None = None) -> dict[str, str]:
    """The environment of ours for a program with the shim and with these COWSHIM_ variables. Raises Unusable."""
    result = dict(os.environ)
    result.update(settings)
    result["LD_PRELOAD"] = preload(find() if library is None else library, result.get("LD_PRELOAD", ""))
    return result


def interpreter() -> str:
    if not sys.executable:
        raise Unusable("Python does not know its own path (sys.executable)", 126)
    return sys.executable
