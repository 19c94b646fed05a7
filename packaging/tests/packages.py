"""TAP: run by run.sh."""

import fnmatch
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.environ["TOP_SRCDIR"]
BUILD = os.environ["TOP_BUILDDIR"]
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from tap import Tap  # noqa: E402

# As Debian has them; RPM's macros are given the same.
FOLDERS = {"prefix": "/usr", "libdir": "/usr/lib/machine", "pythonmodulesdir": "/usr/lib/python3/dist-packages"}
MACROS = {"_prefix": "/usr", "_bindir": "/usr/bin", "_libdir": "/usr/lib/machine", "_includedir": "/usr/include", "_datadir": "/usr/share",
          "_mandir": "/usr/share/man", "_docdir": "/usr/share/doc", "python3_sitelib": "/usr/lib/python3/dist-packages", "dist": ""}
tap = Tap()


def read(*path):
    with open(os.path.join(ROOT, *path)) as file:
        return file.read()


def run(*words):
    return subprocess.run(words, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def installed():
    """Paths of all that `make install` installs."""
    os.environ.pop("MAKEFLAGS", None)
    with tempfile.TemporaryDirectory() as place:
        done = run("make", "-C", BUILD, "-s", "install", "DESTDIR=" + place, *(f"{name}={path}" for name, path in FOLDERS.items()))
        tap.check(done.returncode == 0, "everything is installed", done.stderr[-2000:])
        found = [os.path.join(folder, name)[len(place):] for folder, _, names in os.walk(place) for name in names]
    return sorted(path for path in found if not path.endswith(".la"))


def tell_owners(kind, files, packages):
    """Every file is in one package, and every pattern of a package has a file."""
    problems = []
    used = set()
    for path in files:
        owners = set()
        for package, patterns in packages.items():
            for pattern in patterns:
                if fnmatch.fnmatchcase(path, pattern) or fnmatch.fnmatchcase(path, pattern + "/*"):
                    owners.add(package)
                    used.add((package, pattern))
        if len(owners) != 1:
            problems.append(f"{path}: in {sorted(owners) or 'no package'}")
    problems += [f"{package}: there is no {pattern}" for package, patterns in packages.items() for pattern in patterns
                 if (package, pattern) not in used]
    tap.check(not problems, f"{kind}: each file is in one package", "\n".join(problems))


def tell_debian(files, version):
    if not os.path.isdir(os.path.join(ROOT, "debian")):
        tap.skip("Debian", "debian/ is no part of the tarball")
        return
    control = re.findall(r"^Package: (.*)", read("debian", "control"), re.M)
    packages = {}
    for package in control:
        packages[package] = ["/" + line for line in read("debian", package + ".install").split("\n") if line]
    tell_owners("Debian", files, packages)
    tap.check(read("debian", "changelog").startswith(f"cowshim ({version}) "), "Debian: the version")


def tell_rpm(files, version):
    if not shutil.which("rpmspec"):
        tap.skip("RPM", "no rpmspec (rpm)")
        return
    spec = os.path.join(ROOT, "packaging", "cowshim.spec")
    words = [word for name, value in MACROS.items() for word in ("-D", f"{name} {value or '%{nil}'}")]
    parsed = run("rpmspec", "-P", *words, spec)
    tap.check(parsed.returncode == 0 and "error" not in parsed.stderr, "RPM: the spec can be parsed", parsed.stderr)
    asked = run("rpmspec", "-q", *words, "--qf", "%{name} %{version}\\n", spec).stdout.split("\n")
    wanted = {f"{name} {version}" for name in ("cowshim", "cowshim-tools", "cowshim-devel", "python3-cowshim")}
    tap.check(wanted <= set(asked), "RPM: packages and version", f"{asked} {parsed.stderr}")
    packages = {}
    for title, body in re.findall(r"^%files *(.*)\n((?:[^%\n].*\n|%(?:dir|license|doc).*\n|\n)*)", parsed.stdout, re.M):
        packages[title or "cowshim"] = [line for line in body.split("\n") if line.startswith("/")]
    tell_owners("RPM", files, packages)


def tell_conda(version):
    try:
        import jinja2
        import yaml
    except ImportError as error:
        tap.skip("conda", f"{error} (python3-jinja2, python3-yaml)")
        return
    text = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(read("packaging", "conda", "meta.yaml"))
    recipe = yaml.safe_load(text.render(compiler=lambda language: f"{language}_compiler"))
    tap.check(recipe["package"] == {"name": "cowshim", "version": version}, "conda: the recipe can be read; name and version", recipe)
    said = run(os.path.join(ROOT, "configure"), "--help").stdout
    options = re.findall(r"--(?:disable|with|enable)-[a-z]+", " ".join(recipe["build"]["script"]))
    tap.check(options and all(option in said for option in options), "conda: configure knows its options", options)
    tap.check(os.path.isfile(os.path.join(ROOT, recipe["about"]["license_file"])), "conda: the license is there", recipe["about"])


def main():
    version = re.search(r"AC_INIT\(\[cowshim\], \[(.*?)\]", read("configure.ac"))[1]
    with open(os.path.join(BUILD, "Makefile")) as makefile:
        built = makefile.read()
    if re.search(r"^(TOOLS|PROFILE|COMMAND)_TRUE = #", built, re.M) or re.search(r"^SANITIZED_TRUE = *$", built, re.M):
        tap.skip("files of packages", "this build leaves something out")
    else:
        files = installed()
        tell_debian(files, version)
        tell_rpm(files, version)
    tell_conda(version)
    tap.end()


main()
