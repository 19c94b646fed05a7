"""TAP: `python3 -m cowshim` runs what `python3` would run, by every Python 3 that is here, with the shim in it."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "support"))
from tap import Tap  # noqa: E402

ROOT = os.environ["TOP_SRCDIR"]
LIBRARY = os.environ["COWSHIM_LIBRARY"]
PROGRAM = """
import os, sys, pickle
class Thing: pass
pickle.loads(pickle.dumps(Thing()))
def told():
    with open("/proc/self/maps") as maps:
        loaded = os.environ["COWSHIM_LIBRARY"] in maps.read()
    return [loaded, sys.argv, sys.path[0], __name__, sys.flags.optimize, sys.flags.dont_write_bytecode, sorted(sys._xoptions),
            os.environ.get("COWSHIM_MIN_SIZE"), os.environ.get("COWSHIM_STATS"), sys.executable]
if __name__ == "__main__":
    print(*told(), sep="\\n")
    sys.exit(7)
"""
EARLY = "def enable():\n    import builtins\n    builtins.enabled = True\n"
CACHE = tempfile.TemporaryDirectory()  # nothing is written into the source tree
tap = Tap()


def check(name, problem):
    tap.check(not problem, name, problem)


def pythons():
    """Paths, one for each version."""
    found = {}
    for name in ["/usr/bin/python3", "python3", *(f"python3.{minor}" for minor in range(8, 20))]:
        path = shutil.which(name)
        asked = path and subprocess.run([path, "-c", "import sys; print(*sys.version_info[:2], sys.executable)"],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if asked and asked.returncode == 0:
            major, minor, path = asked.stdout.split(None, 2)
            if (int(major), int(minor)) >= (3, 8):
                found.setdefault((int(major), int(minor)), path.strip())
    for base in sorted(os.listdir(PYENV)) if os.path.isdir(PYENV) else []:
        version = tuple(map(int, base.split(".")[:2])) if re.fullmatch(r"3\.\d+\.\d+", base) else ()
        if version >= (3, 8):
            found.setdefault(version, os.path.join(PYENV, base, "bin", "python3"))
    every = sorted(found.items())
    # The oldest, Debian's, the newest: between them little changes.
    return [pair for pair in every if pair in (every[0], every[-1]) or pair[1].startswith("/usr/")]


PYENV = os.path.expanduser("~/.pyenv/versions")


def run(python, *words, place=None, **more):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COWSHIM_") and name != "LD_PRELOAD"}
    environment.update(PYTHONPATH=os.path.join(ROOT, "python"), COWSHIM_LIBRARY=LIBRARY, PYTHONPYCACHEPREFIX=CACHE.name)
    environment.update(more)
    return subprocess.run([python, *words], cwd=place, env=environment, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def same(python, place, before, ours, program):
    """What the program says of itself is what it says without us, but for the shim and the variables that were asked for."""
    native = run(python, *before, *program, place=place)
    with_shim = run(python, *before, "-m", "cowshim", *ours, *program, place=place)
    expected = native.stdout.splitlines()
    if len(expected) != 10 or native.returncode != 7:
        return f"natively: {native}"
    expected[0] = "True"
    expected[7:9] = ["64K", "stderr"] if ours else ["None", "None"]
    if with_shim.returncode != 7 or with_shim.stdout.splitlines() != expected:
        return f"wanted {expected}\ngot {with_shim}"
    return None


def tell_version(python, version, place, every):
    name = "{}.{}".format(*version)
    forms = {"a script": ["told.py", "--mode", "x"], "a module": ["-m", "told", "-q"], "a module, joined": ["-mtold", "-q"],
             "a path": [os.path.join(place, "told.py")], "a folder": [place + "/folder", "a"],
             "code": ["-c", "import sys; print(*__import__('told').told(), sep='\\n'); sys.exit(7)", "-x", "b"]}
    for what, program in forms.items() if every else list(forms.items())[:2]:
        check(f"Python {name}: {what}", same(python, place, ["-O", "-X", "utf8"], ["--min-size=64K", "--stats"], program))
    for before in (["-OB"], ["-X", "dev", "-W", "ignore"], []) if every else (["-OB"],):
        check(f"Python {name}: its own options {before}", same(python, place, before, [], ["told.py"]))
    if version >= (3, 10):
        result = run(python, "-Bmcowshim", "told.py", place=place)
        check(f"Python {name}: -Bmcowshim", result.returncode != 7 or result.stdout.split("\n")[5] != "1" and result)
    first = run(python, "-m", "cowshim._first", "early", "--", "told.py", "a", place=place, PYTHONPATH=f"{ROOT}/python:{place}")
    native = run(python, "told.py", "a", place=place)
    check(f"Python {name}: what goes first changes nothing for the script", first.stdout != native.stdout and f"{first}\n{native}")
    first = run(python, "-m", "cowshim._first", "early", "--", "-c", "print(enabled)", place=place, PYTHONPATH=f"{ROOT}/python:{place}")
    check(f"Python {name}: and has been there", first.stdout != "True\n" and first)


def said(python, place, words, status, text):
    result = run(python, "-m", "cowshim", *words, place=place)
    check(f"{' '.join(words)}: {text}", (result.returncode != status or not re.search(text, result.stdout + result.stderr)) and result)


def tell_errors(python, place):
    said(python, place, [], 125, "no script is given")
    said(python, place, ["--mim-size=1M", "told.py"], 125, "--mim-size is not an option; did you mean --min-size")
    said(python, place, ["--mode"], 125, "--mode needs a value")
    said(python, place, ["-O", "told.py"], 125, "-O is an option of Python: it goes before -m cowshim")
    said(python, place, ["-m"], 125, "-m needs a value")
    said(python, place, ["none.py"], 2, "can't open file .*none.py")
    said(python, place, ["-m", "none"], 1, "No module named none")
    said(python, place, ["--help"], 0, "Usage: python3 -m cowshim")
    result = run(python, "-m", "cowshim", "told.py", place=place, COWSHIM_LIBRARY="/none.so")
    check("a library that is not there", (result.returncode != 127 or "COWSHIM_LIBRARY=/none.so" not in result.stderr) and result)
    os.symlink(LIBRARY, place + "/a b.so")
    result = run(python, "-m", "cowshim", "told.py", place=place, COWSHIM_LIBRARY=place + "/a b.so")
    check("a path with a space", (result.returncode != 126 or "symbolic link" not in result.stderr) and result)
    result = run(python, "-m", "cowshim", "-c", "import os; print(os.environ['LD_PRELOAD'])", place=place,
                 LD_PRELOAD=f"{LIBRARY}:libm.so.6")
    check("what LD_PRELOAD held comes behind, ours once", result.stdout != f"{LIBRARY}:libm.so.6\n" and result)


def tell_tables(python):
    """What is written down twice is the same."""
    from_c = re.findall(r'"COWSHIM_([A-Z_]+)"', open(os.path.join(ROOT, "src/base/config.def")).read())
    ours = run(python, "-c", "import cowshim.__main__ as m; print(*map(m.variable, m.SETTINGS))").stdout.split()
    check("the options are the variables of the library", set(ours) != {"COWSHIM_" + name for name in from_c} and f"{ours}\n{from_c}")
    built = re.search(r"AC_INIT\(\[cowshim\], \[(.*?)\]", open(os.path.join(ROOT, "configure.ac")).read())[1]
    ours = run(python, "-c", "import cowshim; print(cowshim.__version__)").stdout.strip()
    check("the version is that of configure.ac", ours != built and f"{ours} {built}")


def main():
    if not os.path.exists(LIBRARY):
        print(f"1..0 # SKIP no {LIBRARY}: a sanitizer build has no shim")
        return
    with tempfile.TemporaryDirectory() as place:
        os.mkdir(place + "/folder")
        for name, text in (("told.py", PROGRAM), ("folder/__main__.py", PROGRAM), ("early.py", EARLY)):
            with open(os.path.join(place, name), "w") as file:
                file.write(text)
        found = pythons()
        for version, python in found:
            tell_version(python, version, place, (version, python) == found[-1])
        tell_errors(found[-1][1], place)
        tell_tables(found[-1][1])
    tap.end()


main()
