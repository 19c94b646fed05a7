"""The suites that tests/apps/suites knows. Each is a function of a folder of its own and an environment, and returns what became
of each test: name -> "passed", "failed", "skipped", ... and whatever else must be the same."""

import glob
import os
import subprocess
import sys
import xml.etree.ElementTree

import stepped

PYTHON = "/usr/bin/python3"  # Debian's, which has NumPy and the tests of the standard library
LONGEST = 900  # seconds that one program of a suite may take

CPYTHON = ["test_mmap", "test_bytes", "test_io", "test_subprocess", "test_multiprocessing_fork"]

# Each for some seconds, one process at a time; the memory is bounded, for others work on the same machine.
STRESSORS = {
    "memcpy": [],
    "malloc": ["--malloc-bytes", "64M"],
    "vm": ["--vm-bytes", "64M"],
    "fork": [],
    "vfork": [],
    "mmap": ["--mmap-bytes", "64M"],
    "mmapfixed": [],
    "mremap": ["--mremap-bytes", "32M"],
    "madvise": [],
    "qsort": ["--qsort-size", "1000000"],
    "zlib": [],
}


def run(command, folder, environment, errors=subprocess.STDOUT):
    return subprocess.run(command, cwd=folder, env=environment, timeout=LONGEST, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=errors, text=True, errors="replace")


def numpy(folder, environment):
    """numpy.test(), one package after the other: a crash then takes only its own package with it."""
    results = {}
    where = run([PYTHON, "-c", "import numpy; print(numpy.__path__[0])"], folder, stepped.environment(shim=False)).stdout.strip()
    for tests in sorted(glob.glob(f"{where}/**/tests/__init__.py", recursive=True)):
        package = os.path.relpath(os.path.dirname(tests), os.path.dirname(where)).replace(os.sep, ".")
        report = os.path.join(folder, f"{package}.xml")
        arguments = ["--junitxml", report, "-p", "no:cacheprovider"]
        done = run([PYTHON, "-c", f"import numpy; numpy.test(tests=['{package}'], extra_argv={arguments})"], folder, environment)
        results.update(read_report(report, package, done))
    return results


def cpython(folder, environment):
    results = {}
    for test in CPYTHON:
        report = os.path.join(folder, f"{test}.xml")
        done = run([PYTHON, "-m", "test", "--timeout", "300", "--junit-xml", report, test], folder, environment)
        results.update(read_report(report, test, done))
    return results


def read_report(path, name, done):
    """What pytest and CPython's own runner both write. A test that appears several times has several results."""
    results = {f"{name}: exit": "passed" if done.returncode == 0 else f"failed (status {done.returncode})"}
    if not os.path.exists(path):
        print(f"{name}: no report\n{done.stdout[-2000:]}", file=sys.stderr)
        return results
    for test in xml.etree.ElementTree.parse(path).iter("testcase"):
        outcomes = [child.tag for child in test if child.tag in ("failure", "error", "skipped")]
        key = f"{test.get('classname') or name}.{test.get('name')}"
        outcome = {"failure": "failed", "error": "error", "skipped": "skipped"}[outcomes[0]] if outcomes else "passed"
        results[key] = f"{results[key]} {outcome}" if key in results else outcome
    return results


def stress(folder, environment):
    results = {}
    for stressor, arguments in STRESSORS.items():
        done = run(["stress-ng", f"--{stressor}", "1", "--timeout", "6", "--verify", "--oomable", "--temp-path", folder] + arguments,
                   folder, environment)
        lost = [line for line in done.stdout.splitlines() if ": fail:" in line]
        results[stressor] = "passed" if done.returncode == 0 and not lost else f"failed (status {done.returncode}) {lost[:3]}"
    return results


def own(script):
    """A script of this folder that prints "name: result" lines; the same lines are expected under the shim."""
    def suite(folder, environment):
        done = run([PYTHON, "-B", os.path.join(stepped.HERE, script)], folder, environment, errors=None)
        results = dict(line.split(": ", 1) for line in done.stdout.splitlines())
        results["exit"] = "passed" if done.returncode == 0 else f"failed (status {done.returncode})"
        return results
    return suite


ALL = {
    "numpy": numpy,
    "cpython": cpython,
    "pipelines": own("suite_pipelines.py"),
    "sqlite": own("suite_sqlite.py"),
    "redis": own("suite_redis.py"),
    "stress-ng": stress,
}
