"""TAP: `cowshim jupyter install` makes a kernel that runs under the shim, and %load_ext cowshim says after each cell what is saved."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "support"))
from tap import Tap  # noqa: E402

ROOT = os.path.abspath(os.environ["TOP_SRCDIR"])
LIBRARY = os.environ["COWSHIM_LIBRARY"]
COMMAND = os.path.join(os.environ["TOP_BUILDDIR"], "command", "cowshim")
CELLS = [("%load_ext cowshim\nsource = bytearray(b'x') * (16 << 20)", None),
         ("copies = [source[:] for _ in range(3)]", r"cowshim: 48\.0 MiB saved, 48\.0 MiB more than before this cell; 3 of 3 large copies shared"),
         ("one = 1", r"cowshim: 48\.0 MiB saved"),
         ("del copies[1:]", r"cowshim: 16\.0 MiB saved, 32\.0 MiB less than before this cell"),
         ("del copies", r"cowshim: 0\.0 MiB saved, 16\.0 MiB less than before this cell"),
         ("%unload_ext cowshim\ncopy = source[:]", None)]
tap = Tap()


def run(*words, **more):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COWSHIM_", "JUPYTER_", "XDG_"))}
    environment.update(PYTHONPATH=os.path.join(ROOT, "python"), COWSHIM_LIBRARY=LIBRARY, PYTHONDONTWRITEBYTECODE="1", PATH="/usr/bin:/bin")
    environment.update(more)
    return subprocess.run(words, env=environment, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def installed(place, *options, **more):
    result = run(COMMAND, "jupyter", "install", *options, HOME=place, PYTHONPATH=f"{ROOT}/python:{place}/modules", **more)
    told = re.search(r"cowshim: (\S+) is written", result.stdout)
    tap.check(result.returncode == 0 and told, f"install {' '.join(options)} {' '.join(more)}".rstrip(), result)
    return told and told[1]


def tell_places(place):
    tap.check(installed(place) == f"{place}/.local/share/jupyter/kernels/cowshim/kernel.json", "the user's folder")
    tap.check(installed(place, JUPYTER_DATA_DIR=place + "/data") == f"{place}/data/kernels/cowshim/kernel.json", "Jupyter's folder")
    path = installed(place, "--prefix", place + "/prefix", "--name", "mine", "--policy=memory", "--min-size", "64K")
    tap.check(path == f"{place}/prefix/share/jupyter/kernels/mine/kernel.json", "a prefix and a name", path)
    with open(path) as file:
        kernel = json.load(file)
    wanted = {"LD_PRELOAD": LIBRARY, "COWSHIM_POLICY": "memory", "COWSHIM_MIN_SIZE": "64K",
              "PYTHONPATH": f"{ROOT}/python:{place}/modules"}
    tap.check(kernel["env"] == wanted, "the environment has the library, the options and the module", kernel)


def tell_errors(place):
    for words, status, text in ((["install", "--polcy=memory"], 125, "did you mean --policy"), (["instal"], 125, "not a command of cowshim jupyter"),
                                ([], 125, "no command is given"), (["install", "--name", "a/b"], 125, "accepted are letters"),
                                (["install", "--prefix", "/proc/none"], 125, "/proc/none"), (["--help"], 0, "Usage: cowshim jupyter install")):
        result = run(COMMAND, "jupyter", *words, HOME=place, PYTHONPATH=f"{ROOT}/python:{place}/modules")
        tap.check(result.returncode == status and text in result.stdout + result.stderr, f"{' '.join(words)}: {text}", result)
    result = run(COMMAND, "jupyter", "install", HOME=place)
    tap.check(result.returncode == 127 or importlib.util.find_spec("ipykernel"), "without ipykernel it says what to do", result)
    result = run(sys.executable, "-c", "import cowshim.jupyter as j; j.load(None); j.unload(None)")
    tap.check("the shim is not loaded in this kernel" in result.stdout, "without the shim it says so", result)


SHELL = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in sys.argv[1:]:
    shell.run_cell(cell)
    print("END", flush=True)
"""


def tell_cells(place):
    """In the shell that a kernel has, with the kernel's environment."""
    with open(f"{place}/prefix/share/jupyter/kernels/mine/kernel.json") as file:
        kernel = json.load(file)
    tap.check(kernel["argv"] == [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"], "the kernel is that of this Python", kernel)
    result = run(sys.executable, "-c", SHELL, *(code for code, _ in CELLS), HOME=place, IPYTHONDIR=place + "/ipython", **kernel["env"])
    told = result.stdout.split("END\n")
    for (code, wanted), text in zip(CELLS, told):
        tap.check(re.fullmatch(wanted + "\n", text) if wanted else text == "", f"cell: {code.splitlines()[-1]}", text)
    tap.check(len(told) == len(CELLS) + 1 and result.returncode == 0, "and each cell ends", result)


def main():
    if not os.path.exists(LIBRARY) or not os.path.exists(COMMAND):
        print("1..0 # SKIP no library or no command is built")
        return
    with tempfile.TemporaryDirectory() as place:
        os.makedirs(place + "/modules/ipykernel")  # it is only asked whether there is one
        open(place + "/modules/ipykernel/__init__.py", "w").close()
        tell_places(place)
        tell_errors(place)
        if importlib.util.find_spec("IPython"):
            tell_cells(place)
        else:
            tap.skip("cells", "no IPython (python3-ipython)")
    tap.end()


main()
