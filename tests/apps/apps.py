"""The applications that tests/apps/run knows, and what each must show."""

import importlib.util
import os
import shutil
import subprocess
from collections import namedtuple

import stepped

COMPILED = os.path.join(stepped.BUILD, "apps")
PYTHON = ["/usr/bin/python3"]  # Debian's, which has NumPy; the one in PATH may be another

# name             as given to tests/apps/run
# files            of this directory, given to the interpreter; or the one that the compiler gets
# more_files       likewise; the demo gives others instead
# interpreter      command before the files
# compiler         command before "PROGRAM SOURCE", instead of an interpreter
# commands/modules what must be there; otherwise the test is skipped
# optional         runs only with --apps or by name
# grows            (step, MiB, tolerance in MiB): growth of the process in that step under the shim. The tolerance is
#                  1 % of the array for a copy, and for a change at most 2 MiB (edges, what the runtime itself takes)
#                  and less than half of the change.
# not_eligible     why the shim cannot help here: then memory is printed, not checked
# must_print       lines that the output must have (the native output is only compared with)
# faster           (step, N): under the shim at most 1/N of the native time
App = namedtuple("App", "name files more_files interpreter compiler commands modules optional grows not_eligible"
                        " must_print faster native_arguments shim_arguments",
                 defaults=[[], [], [], [], [], False, [], "", [], None, [], []])

ALL = [
    App("article", ["article_session.py"], ["article.py", "article_more.py"], PYTHON, modules=["numpy"], grows=[
        ("array2 = array1.copy()", 0, 4),
        ("array2[0, 0, 0]; array2[10, 0, 1]", 0, 0.5),
        ("array2[1:100] = 30", 38.7, 2),
        ("array1[500:510] = 7", 3.9, 1),
    ], must_print=["(True, True)"]),

    # The slowest of the ten against the slowest of two natively. That each is under 1/500 is for the benchmark to
    # show; 1/50 is what holds where the kernel gives the source no huge pages.
    App("copies", ["numpy_copies.py"], interpreter=PYTHON, modules=["numpy"], grows=[
        ("first copy", 0, 4),
        ("more copies, the slowest", 0, 4),
    ], must_print=["all the same: True", "but one: [-1.0] 0.0"], faster=("more copies, the slowest", 50),
        native_arguments=["2"], shim_arguments=["10"]),

    App("fork", ["numpy_fork.py"], interpreter=PYTHON, modules=["numpy"], grows=[
        ("copy", 0, 1.3),
    ], must_print=["parent sees its own: [True, True]", "child sees its own: True"]),

    App("vector", ["vector_copy.cpp"], compiler=["g++", "-O2", "-o"], commands=["g++"], grows=[
        ("copy = original", 0, 4),
        ("change 10 % of copy", 40, 2),
        ("change 1 % of original", 4, 1),
    ]),

    App("r", ["r_copy.R"], interpreter=["Rscript", "--vanilla"], commands=["Rscript"], optional=True, grows=[
        ("y <- x", 0, 1),
        ("y[1] <- 1", 0, 4),
        ("y[1:5e6] <- 3", 38.1, 2),
        ("x[5e7] <- 4", 0, 2),
    ]),

    App("pandas", ["pandas_column.py"], interpreter=PYTHON, modules=["pandas"], optional=True, grows=[
        ("df.copy()", 0, 2),
        ("edit one column", 30, 12),  # pandas fills a column by a copy of 20 MiB: where that is not worth sharing, 40
    ]),

    App("xarray", ["xarray_deep.py"], interpreter=PYTHON, modules=["xarray"], optional=True, grows=[
        ("copy(deep=True)", 0, 2),
        ("edit one slice", 4, 1),
    ]),

    App("octave", ["octave_copy.m"], interpreter=["octave-cli", "--norc"], commands=["octave-cli"], optional=True,
        grows=[
            ("b = a", 0, 1),
            ("b(1) = 2.5", 0, 2),
            ("b(:, 1:512) = 3", 20, 2),
            ("a(end) = 4", 0, 2),
        ]),

    App("node", ["node_copy.js"], interpreter=["node"], commands=["node"], optional=True, grows=[
        ("copy = new Float64Array(original)", 0, 2),
        ("piece = original.slice()", 0, 2),
        ("change 10 % of copy", 20, 2),
        ("change 1 % of original", 2, 0.5),
    ]),

    App("rust", ["rust_clone.rs"], compiler=["rustc", "-O", "-o"], commands=["rustc"], optional=True, grows=[
        ("copy = original.clone()", 0, 2),
        ("change 10 % of copy", 20, 2),
        ("change 1 % of original", 2, 0.5),
    ]),

    App("python-module", ["python_module.py"], interpreter=PYTHON, modules=["numpy"], grows=[
        ("seal", 64, 4),
        ("ten copies", 0, 2),
        ("two elements changed in each", 0.1, 0.5),
    ]),

    App("bytes", ["bytes_objects.py"], interpreter=PYTHON, modules=["numpy"], grows=[
        ("tobytes", 0, 2),
        ("bytes(array)", 0, 2),
        ("bytearray(bytes)", 0, 2),
        ("join", 0, 2),
        ("frombuffer(bytes).copy()", 0, 2),
        ("pickle.dumps, its buffers as bytes", 0, 2),
        ("pickle.loads and a copy", 0, 2),
        ("BytesIO", 0, 2),
        ("change an eighth of an array from bytes", 8, 2),
    ]),

    App("torch", ["torch_clone.py"], interpreter=PYTHON, modules=["torch"], optional=True, grows=[
        ("five clones", 0, 2),
        ("a sixteenth of the first 5 changed", 5, 2),
    ]),

    App("torch-training", ["torch_training.py"], interpreter=PYTHON, modules=["torch"], optional=True, grows=[
        ("its average", 0, 2),
        ("eight checkpoints", 37, 6),
        ("loaded into another model", 0, 4),
    ]),

    # The examples: what they cost is what their edits change.
    App("undo-stack", ["../../examples/undo_stack.py"], interpreter=PYTHON, modules=["numpy", "PIL"], optional=True, grows=[
        ("12 edits, each can be undone", 150, 130),  # natively 824; where faults are dear the last copies may be plain
    ], must_print=["as it was: True"]),

    App("what-if", ["../../examples/what_if.py"], interpreter=PYTHON, modules=["pandas"], optional=True, grows=[
        ("ten scenarios", 168, 12),  # of a last array of 16 MiB it depends on the machine whether it is worth sharing
    ]),

    App("chain-states", ["../../examples/chain_states.R"], interpreter=["Rscript", "--vanilla"], commands=["Rscript"],
        optional=True, grows=[
            ("100 steps, 10 states kept", 20, 12),
        ]),

    App("checkpoint-ring", ["../../examples/checkpoint_ring.c"],
        compiler=["cc", "-O2", "-I" + os.path.join(stepped.ROOT, "include"), "-o"], commands=["cc"], grows=[
            # Each keeps what the next step changed; the last one is the state itself.
            ("25 steps, restored from the file, nine states kept", 8 * 2.56, 4),
        ], must_print=["restored byte for byte: yes"]),
]


class Skip(Exception):
    """The application is not here; the text says what is missing."""


def command_of(app, files=()):
    """The command that runs it, compiled where it has to be; `files` instead of all that it may be given."""
    for command in app.commands:
        if not shutil.which(command):
            raise Skip(f"{command} is not installed")
    for module in app.modules:
        if importlib.util.find_spec(module) is None:
            raise Skip(f"Python's {module} is not installed")
    paths = [os.path.join(stepped.HERE, name) for name in app.files + (list(files) or app.more_files)]
    return [_compiled(app.compiler, paths[0])] if app.compiler else app.interpreter + paths


def _compiled(compiler, source):
    os.makedirs(COMPILED, exist_ok=True)
    program = os.path.join(COMPILED, os.path.splitext(os.path.basename(source))[0])
    if not os.path.exists(program) or os.path.getmtime(program) < os.path.getmtime(source):
        subprocess.run(compiler + [program, source], check=True)
    return program
