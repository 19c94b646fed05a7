"""TAP: what `cowshim profile` and `cowshim report` promise. Run by run.sh."""
import glob
import html.parser
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
COWSHIM = os.path.join(os.environ["TOP_BUILDDIR"], "command", "cowshim")
sys.path.insert(0, os.path.join(HERE, "..", "..", "tests", "apps"))
import memory  # noqa: E402  (the honest figure, measured from outside)

sys.path.insert(0, os.path.join(HERE, "..", "..", "tests", "support"))
from tap import Tap  # noqa: E402

PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else "python3"
MIB = 1 << 20
FIVE = os.path.join(HERE, "five.py")
FILLED = os.path.join(HERE, "filled.py")
CHAINED = os.path.join(HERE, "chained.py")
tap = Tap()
check, skip = tap.check, tap.skip


def cowshim(*words, **more):
    env = {name: value for name, value in os.environ.items() if not name.startswith("COWSHIM_") and name != "LD_PRELOAD"}
    env.update(COWSHIM_LIBRARY=os.environ["COWSHIM_LIBRARY"], PYTHONDONTWRITEBYTECODE="1", TMPDIR=os.getcwd())
    env.update(more.pop("env", {}))
    return subprocess.run([COWSHIM, *words], env=env, text=True, capture_output=True, timeout=120, stdin=subprocess.DEVNULL, **more)


def profile(*words, options=()):
    """The exit code, what was printed, and the document."""
    if os.path.exists("out.json"):
        os.unlink("out.json")
    done = cowshim("profile", "-o", "out.json", *options, "--", *words)
    with open("out.json") as file:
        return done, json.load(file)


def script(text, name="script.py"):
    with open(name, "w") as file:
        file.write("import numpy, os, sys, threading\narray = numpy.arange(1 << 20, dtype=numpy.float64)\n" + text)
    return [PYTHON, name]


def line_of(path, mark):
    """The number of the line with this comment."""
    with open(path) as file:
        return next(number for number, line in enumerate(file, 1) if re.search(rf"(#|//) {mark}\b", line))


def site_at(process, line, kind="sites"):
    return next((site for site in process[kind] if site["line"] == line), None)


def measured_peak(*words, **more):
    """What a program that waits at its peak has there under the shim, measured from outside."""
    env = dict(os.environ, LD_PRELOAD=os.environ["COWSHIM_LIBRARY"], **more)
    program = subprocess.Popen(words, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    program.stdout.readline()
    try:
        return memory.total(program.pid)
    finally:
        program.communicate("\n")


def five_lines():
    done, document = profile(PYTHON, FIVE)
    first = document["processes"][0]
    sites = {mark: site_at(first, line_of(FIVE, mark)) for mark in ("kept", "slices", "small", "rewritten", "incongruent")}
    details = json.dumps({name: first[name] for name in ("verdict", "sites", "filled", "peak_native", "peak_shim")}, indent=1)

    check(done.returncode == 0 and done.stdout == "at the peak\n" and done.stderr == "", "the program runs as it would", done)
    if not check(all(sites.values()), "five lines are named, each by its number", details):
        return
    check({mark: site["copies"] for mark, site in sites.items()} ==
          {"kept": 8, "slices": 3, "small": 40, "rewritten": 1, "incongruent": 1}, "with the number of their copies", details)
    check([sites[mark]["bytes"] for mark in ("kept", "small")] == [8 * 16 * MIB, 40 * 65536], "and with their bytes", details)
    check([sites[mark]["share"] for mark in sites] == [1, 1, 0, 1, 0], "what can be shared, and what cannot", details)
    check(sites["small"]["reasons"][0]["reason"] == "too_small", "64 KiB is too small", details)
    check(sites["incongruent"]["reasons"][0]["reason"] == "incongruent", "what begins elsewhere in a page is not congruent", details)
    check("multiple of 4096" in sites["incongruent"]["reasons"][0]["advice"], "and what to do about it", details)
    check(abs(sites["kept"]["same"] - 0.9) < 0.03, "of the copies that were changed in a tenth, nine tenths are the same", details)
    check(sites["slices"]["same"] == 1 and sites["rewritten"]["same"] == 0, "one is the same, one is rewritten", details)
    check(sites["kept"]["source"].startswith("copy = array.copy()"), "the line is quoted", details)
    strided = site_at(first, line_of(FIVE, "strided"), "filled")
    check(strided and strided["bytes"] == 8 * MIB and not site_at(first, line_of(FIVE, "strided")),
          "the strided copy is a block that was filled without a large copy", details)
    check(document["helps"] and f"line {line_of(FIVE, 'kept')} of five.py" in document["verdict"],
          "the verdict names the line that saves the most", details)
    peak = measured_peak(PYTHON, FIVE)
    check(abs(first["peak_shim"] - peak) < 0.1 * peak,
          f"predicted peak {first['peak_shim'] / MIB:.1f} MiB, measured {peak / MIB:.1f} MiB, natively {first['peak_native'] / MIB:.1f}",
          details)


def filled_by_many():
    """The copies that filled the array are sampled at other places than the copy of all of it, and are fewer or many; so are
    pieces of a copy of it. Of 300, not all
    samples are watched. With the policy `memory`, since that does not depend on huge pages, which plain copies bring in."""
    for copies, then in ((1, "delete"), (12, "delete"), (24, "delete"), (24, "keep"), (5, "keep"), (1, "pieces"), (300, "keep"), (300, "rewrite")):
        words = (PYTHON, FILLED, str(copies), then)
        first = profile(*words, options=["--policy", "memory"])[1]["processes"][0]
        peak = measured_peak(*words, COWSHIM_POLICY="memory")
        check(abs(first["peak_shim"] - peak) < 0.05 * peak,
              f"an array that {copies} copies filled, {then}: predicted {first['peak_shim'] / MIB:.1f} MiB, measured {peak / MIB:.1f}, "
              f"natively {first['peak_native'] / MIB:.1f}", first["verdict"])
        if then == "delete":
            filled, kept = (site_at(first, line_of(FILLED, mark)) for mark in ("filled", "kept"))
            check(filled["saved_at_peak"] == 0 and abs(kept["saved_at_peak"] - 192 * MIB) < 2 * MIB,
                  f"{copies} copies whose sources are gone save nothing, those of the array all of it", json.dumps(first["sites"]))
    applied = profile(PYTHON, FILLED, "12", "delete", options=["--apply", "--policy", "memory"])[1]["processes"][0]
    check(abs(applied["peak_native"] - applied["peak_shim"] - 192 * MIB) < 5 * MIB, "--apply says the same of what it saved",
          applied["verdict"])


def chained():
    """Runs that are too short to seal are copied until all is sealed anew, and what showed the old store keeps it. Of what is freed malloc
    keeps the memory, but not where it was shared."""
    for then in ("keep", "free"):
        first = profile(PYTHON, CHAINED, then, options=["--policy", "memory"])[1]["processes"][0]
        peak = measured_peak(PYTHON, CHAINED, then, COWSHIM_POLICY="memory")
        check(abs(first["peak_shim"] - peak) < 0.08 * peak,
              f"a chain of states, {then}: predicted {first['peak_shim'] / MIB:.1f} MiB, measured {peak / MIB:.1f}, "
              f"natively {first['peak_native'] / MIB:.1f}", first["verdict"])


def applied():
    done, document = profile(PYTHON, FIVE, options=["--apply"])
    first = document["processes"][0]
    kept = site_at(first, line_of(FIVE, "kept"))
    check(done.returncode == 0 and done.stdout == "at the peak\n", "--apply: the program runs as it would", done)
    check(document["helps"] and first["peak_shim"] < first["peak_native"] - 80 * MIB and kept["share"] == 1,
          "--apply shares, and measures what that saved", json.dumps(first["verdict"]))


def native():
    compiler = os.environ.get("CXX", "c++")
    if not shutil.which(compiler):
        return skip("C++: function and line", f"no {compiler}")
    subprocess.run([compiler, "-O1", "-g", "-o", "native", os.path.join(HERE, "native.cpp")], check=True)
    _, document = profile("./native")
    sites = document["processes"][0]["sites"]
    line = line_of(os.path.join(HERE, "native.cpp"), "snapshot")
    good = [site for site in sites if site["copies"] == 6 and site["share"] == 1]
    check(good and good[0]["function"].startswith("take_snapshot") and abs(good[0]["line"] - line) <= 1 and
          any("main" in frame for frame in good[0]["stack"]), "C++: the function that copies, its line, and who called it", json.dumps(sites))
    line = line_of(os.path.join(HERE, "native.cpp"), "kept")
    good = [site for site in sites if site["copies"] == 3 and site["share"] == 1]
    check(good and good[0]["function"].startswith("keep") and abs(good[0]["line"] - line) <= 1,
          "C++: an implicit copy constructor is not the place, but who calls it", json.dumps(sites))
    subprocess.run(["strip", "native"], check=True)
    done, document = profile("./native")
    check(done.returncode == 0 and document["processes"][0]["copied"]["copies"] == 9 and document["processes"][0]["sites"],
          "C++ without any symbols: a place all the same", document["verdict"])


def r_language():
    promises = ("R: the function that changes a copy", "R: what is passed to lapply, and by whom it is called", "R: a function of a package",
                "R: the top level", "R: who called it is told, too")
    if not shutil.which("Rscript"):
        for promise in promises:
            skip(promise, "no Rscript")
        return
    program = """
        x <- runif(2e6); kept <- list()
        perturb <- function(z, i) { z[1] <- i; z }
        chain <- function() for (i in 1:5) kept[[length(kept) + 1]] <<- perturb(x, i)
        chain()
        more <- lapply(1:4, function(i) { z <- x; z[2] <- i; z })
        y <- x; y[3] <- 1; y2 <- x; y2[4] <- 1; cat(length(kept))
        filled <- lapply(1:3, function(i) base::replace(x, 7, i))"""
    with open("chain.R", "w") as file:
        file.write(program)
    done, document = profile("Rscript", "chain.R")
    sites = [site for process in document["processes"] for site in process["sites"]]
    told = done.stderr + json.dumps(sites)[:6000]

    def at(where, copies):
        return [site for site in sites if site["where"] == where and site["copies"] >= copies and site["language"] == "r"]

    check(done.stdout == "5" and at("perturb()", 5), promises[0], told)
    check(at("FUN in lapply()", 4), promises[1], told)
    check(at("base::replace()", 3), promises[2], told)
    check(at("the script's top level", 2), promises[3], told)
    check(any("chain (R)" in site["stack"] for site in at("perturb()", 5)), promises[4], told)


def new_python():
    promise = "Python that does not tell its lines: the report says so"
    for path in [shutil.which("python3.13"), *glob.glob(os.path.expanduser("~/.pyenv/versions/3.13.*/bin/python3"))]:
        if path and subprocess.run([path, "-c", "pass"], capture_output=True).returncode == 0:
            break
    else:
        return skip(promise, "no Python 3.13")
    _, document = profile(path, "-c", "a = bytearray(8 << 20)\nfor i in range(0, len(a), 4096): a[i] = 1\nb = [a[:] for _ in range(4)]")
    sites = document["processes"][0]["sites"]
    check(any("this Python does not tell its line" in site["where"] and site["copies"] >= 4 for site in sites), promise, json.dumps(sites))


def tried():
    words = script("kept = [array.copy() for _ in range(8)]\nprint(len(kept)); sys.exit(3)", "it's one.py")
    done = cowshim("try", "--", *words)
    last = done.stderr.strip().splitlines()[-1]
    found = re.fullmatch(r"cowshim: The shim would lower the peak from .*: line 3 of it's one.py is 100 % of it. "
                         r"`cowshim run -- (.*)` turns it on. More: (.*/cowshim-python3-\w+\.html)", last)
    check(done.returncode == 3 and done.stdout == "8\n" and found, "try: one line, with what turns it on and where the page is", done)
    typed = subprocess.run(["sh", "-c", f"printf '%s\\n' {found[1]}"], text=True, capture_output=True).stdout if found else ""
    check(typed.splitlines() == words, "try: what it says to type is what was typed", typed)
    page = open(found[2]).read() if found else ""
    check("</html>" in page, "try: the page is there", page[:200])
    done = cowshim("try", "-o", "tried.json", "--", "true")
    check(done.returncode == 0 and re.search(r"^cowshim: .* no large ", done.stderr) and "turns it on" not in done.stderr,
          "try: a program without copies", done)


def libraries():
    """One line that copies in two lines of a library, and places that are not worth a line."""
    os.makedirs("site-packages", exist_ok=True)
    with open("site-packages/library.py", "w") as file:
        file.write("def fit(a):\n    one = a.copy()\n    return one, a.copy()\n")
    words = script("sys.path.append('site-packages')\nimport library\nkept = library.fit(array)  # fit\nfor _ in range(20): kept += (array.copy(),)\n"
                   "small = numpy.ones(1 << 16)\nother = small.copy()\n")
    _, document = profile(*words)
    sites = [site for site in document["processes"][0]["sites"] if site["line"] == line_of("script.py", "fit")]
    check([site["via"] for site in sorted(sites, key=lambda site: site["via"])] == ["library.py:2 in fit", "library.py:3 in fit"],
          "a line that calls a library has a row for each line that copies there", json.dumps(sites))
    cowshim("report", "-o", "library.html", "out.json")
    page("library.html")
    show("library.html", ["by way of library.py:2 in fit", "other places, below 1 % each", 'type="search"'])
    cowshim("report", "-o", "library.folded", "out.json")
    with open("library.folded") as file:
        lines = file.read().splitlines()
    check(sum(int(line.rsplit(" ", 1)[1]) for line in lines) == document["processes"][0]["copied"]["bytes"] and
          any(re.match(r"<module> \(script.py:\d+\);fit \(library.py:2\) \d+$", line) for line in lines), "stacks for speedscope", "\n".join(lines))


def threads():
    words = script("""
def work():
    for _ in range(20):
        array.copy()  # copy
all = [threading.Thread(target=work) for _ in range(4)]
for one in all: one.start()
for one in all: one.join()
""")
    done, document = profile(*words)
    site = site_at(document["processes"][0], line_of("script.py", "copy")) if document["processes"] else None
    check(done.returncode == 0 and site and site["copies"] == 80 and site["function"] == "work",
          "threads copy without the interpreter's lock, and each copy has its line", done)


def killed():
    words = script("array = numpy.arange(16 << 20, dtype=numpy.float64)\nkept = [array.copy() for _ in range(3)]  # copy\nos.kill(os.getpid(), 9)\n")
    done, document = profile(*words)
    first = document["processes"][0]
    site = site_at(first, 4)
    check(done.returncode == 128 + signal.SIGKILL and site and site["copies"] == 3 and not first["ended"],
          "a program that is killed: what was seen until then", done)
    check("killed by signal 9 (out of memory" in first["verdict"] and document["helps"], "its verdict says so", first["verdict"])
    check(abs(first["peak_native"] - first["peak_shim"] - 384 * MIB) < 12 * MIB and first["peak_native"] < 560 * MIB,
          "its last copy counts, though nothing came after it", first["verdict"])
    words = script("kept = [array.copy()]  # copy\nos.kill(os.getpid(), 9)\n")
    _, document = profile(*words)
    check(document["helps"], "also where it is the only one", document["verdict"])
    _, document = profile(*words[:-1], words[-1], options=["--apply"])
    check(document["helps"], "and where it was shared", document["verdict"])


def descriptors():
    words = script("os.closerange(3, 4096)\nkept = [array.copy() for _ in range(3)]\nos.write(1, b'there')\nos._exit(7)\n")
    done, document = profile(*words)
    site = site_at(document["processes"][0], 4)
    check(done.returncode == 7 and done.stdout == "there" and site and site["copies"] == 3,
          "a program that closes all descriptors, and leaves by _exit: the exit code is the program's", done)


def processes():
    words = script("""
import subprocess
child = os.fork()
if child == 0:
    kept = [array.copy() for _ in range(2)]  # child
    os._exit(0)
os.waitpid(child, 0)
kept = [array.copy() for _ in range(3)]  # parent
subprocess.run([sys.executable, '-c', 'import numpy; a = numpy.ones(1 << 20); b = [a.copy() for _ in range(4)]'])
""")
    done, document = profile(*words)
    copies = sorted(site["copies"] for process in document["processes"] for site in process["sites"] if site["share"] == 1)
    check(done.returncode == 0 and copies == [2, 3, 4] and len({process["pid"] for process in document["processes"]}) == 3,
          "a forked child and an executed program have sections of their own", json.dumps(copies) + done.stderr)
    totals = document["totals"]
    check(totals["processes"] == 3 and totals["could_share"]["copies"] == 9 and
          totals["peaks_native"] == sum(process["peak_native"] for process in document["processes"]), "and there are totals", totals)
    said = " ".join(cowshim("report", "out.json").stdout.split())
    check(re.search(r"All 3 processes: 72\.\d MiB copied, of which 72\.0 MiB can be shared", said), "which the text says", said)


def verdicts():
    words = script("total = array + 1\ntotal *= 2\n")
    _, document = profile(*words)
    check(not document["helps"] and "no large cop" in document["verdict"], "computing only: it would not help, and why", document["verdict"])
    words = script("for _ in range(20):\n    copy = array.copy()\n    copy += 1\n")
    _, document = profile(*words)
    check(not document["helps"] and "rewritten" in document["verdict"], "copies that are rewritten: it would not help, and why",
          document["verdict"])
    words = script("kept = [array.copy() for _ in range(6)]\ndel kept\nlarge = numpy.ones(16 << 20)\n")
    _, document = profile(*words)
    first = document["processes"][0]
    check(re.search(r"it would save 48\.0 MiB, but at \d[.\d]* s; the peak of 1\d\d\.. MiB is at \d[.\d]* s\.", document["verdict"]) and
          first["most_saved_seconds"] < first["peak_seconds"], "copies that are gone at the peak: it would not help, and when it would", document["verdict"])
    words = script("kept = [array.copy() for _ in range(6)]\ndel kept\nlarge = numpy.ones(46 << 17)\n")
    _, document = profile(*words)
    check(re.search(r"it would save 4\d\.\d MiB, but at \d[.\d]* s; at \d[.\d]* s memory would be \d\d\.\d MiB all the same", document["verdict"]),
          "memory that is nearly as large at another time: so it says", document["verdict"])
    words = script("small = numpy.ones(4096)\nfor _ in range(30000):\n    copy = small.copy()\n")
    _, document = profile(*words)
    small = [reason for reason in document["processes"][0]["reasons"] if reason["reason"] == "too_small"]
    check(not document["helps"] and "smaller than COWSHIM_MIN_SIZE" in document["verdict"] and
          30000 <= small[0]["copies"] < 30100,
          "many small copies: all are counted, though not all are looked at", document["verdict"] + json.dumps(small))
    done, document = profile("true")
    check(done.returncode == 0 and not document["helps"] and document["processes"] == [], "a program that allocates nothing", document)


def resized():
    words = script("copy = array.copy()\ncopy.resize(3 << 20, refcheck=False)\nother = copy.copy()\n")
    done, document = profile(*words)
    check(done.returncode == 0 and len(document["processes"][0]["sites"]) >= 2, "a copy that is resized is followed", done)


def summaries():
    """What --stats says of a program that is known: eight copies of 16 MiB, of each a tenth changed, and more; five.py waits at its peak."""
    done = cowshim("run", "--stats", "--", PYTHON, FILLED, "12", "delete")
    said = re.search(r"saved ([0-9.]+) MiB at the peak: ([0-9.]+) MiB instead of ([0-9.]+) MiB", done.stderr)
    check(said and abs(float(said[1]) - 192) < 2 and float(said[2]) < 125, "run --stats says what was saved at the peak, in MiB", done.stderr)
    check("python3 " in done.stderr and f"{FILLED} 12"[:40] in done.stderr, "and of which program", done.stderr)
    done = cowshim("run", "--stats=lines", "--", PYTHON, FIVE, 'a "name"\n\x80')
    with open("lines") as file:
        line = json.load(file)
    peak = measured_peak(PYTHON, FIVE)
    check(abs(line["peak_memory"] - peak) < 0.1 * peak and line["peak_saved"] > 80 * MIB and 0 < line["seconds"] < 120,
          f"its JSON line has the peak ({line['peak_memory'] / MIB:.1f} MiB, measured {peak / MIB:.1f}), what was saved then, the duration", line)
    check(line["argv"][1:] == [FIVE, 'a "name"\n\x80'], "and the words of the command line", line["argv"])
    done = cowshim("run", "--stats", "--", *script("array += 1\nrewritten = array.copy()\nrewritten *= 2\n"))
    check("saved nothing" in done.stderr or re.search(r"saved [0-8]\.\d MiB", done.stderr), "copies that are rewritten save nothing to speak of", done.stderr)
    done = cowshim("run", "--stats", "--", "sh", "-c", "echo a | cat | wc; ls >/dev/null; (exit 3)")
    check(done.returncode == 3 and done.stderr == "", "a pipeline of shells, which copy nothing large, is silent", done.stderr)


class Page(html.parser.HTMLParser):
    """Whether elements are closed in order, and what a page refers to."""

    EMPTY = {"meta", "link", "br", "img"}

    def __init__(self):
        super().__init__()
        self.open, self.references, self.good = [], [], True

    def handle_starttag(self, tag, attributes):
        if tag not in self.EMPTY:
            self.open.append(tag)
        self.references += [value for name, value in attributes if name in ("src", "href", "srcset", "action", "data")]

    def handle_endtag(self, tag):
        self.good = self.good and bool(self.open) and self.open.pop() == tag


def page(name):
    with open(name) as file:
        text = file.read()
    parsed = Page()
    parsed.feed(text)
    check(parsed.good and not parsed.open and not parsed.references and "@@" not in text and "url(" not in text and "@import" not in text,
          f"{name}: well-formed, and refers to nothing", parsed.references)
    return text


def show(name, wanted, absent=()):
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not browser:
        return skip(f"{name} in a browser", "no Chromium")
    done = subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom",
                           "--user-data-dir=" + os.path.abspath("browser"), "file://" + os.path.abspath(name)],
                          text=True, capture_output=True, timeout=90, stdin=subprocess.DEVNULL)
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    check(all(word in done.stdout for word in wanted) and not any(word in done.stdout for word in absent) and not said,
          f"{name} in a browser: no error", "\n".join(said) or done.stdout[:3000])


def pages():
    words = script("kept = [array.copy() for _ in range(3)]\n", "a<b&'.py")
    done = cowshim("profile", "-o", "page.html", "--", *words)
    text = page("page.html")
    check(done.returncode == 0 and "a&lt;b&amp;'.py" in text and "a\\u003cb" in text, "a name with < and & stays text", text[-600:])
    show("page.html", ["<h1", "a&lt;b&amp;'.py", "<path", "<table"], ["<b&"])
    cowshim("run", "--report", "run.html", "--", *words)
    page("run.html")
    one, other = "one.json", "other.json"
    cowshim("profile", "-o", one, "--", *words)
    cowshim("profile", "--apply", "-o", other, "--", *words)
    done = cowshim("report", "-o", "both.html", one, other)
    page("both.html")
    show("both.html", ["before and is", "lowered the peak"])
    done = cowshim("report", one)
    check(done.returncode == 0 and "would lower the peak" in done.stdout, "report prints a profile as text", done)


def reports():
    words = script("kept = [array.copy() for _ in range(3)]\n")
    for _ in range(2):
        cowshim("run", "--stats=stats", "--", *words)
    done = cowshim("report", "stats")
    check(done.returncode == 0 and "6 large copies of 48.0 MiB were shared" in done.stdout, "report adds up the lines of COWSHIM_STATS", done)
    done = cowshim("report", "-o", "stats.html", "stats", "stats")
    page("stats.html")
    show("stats.html", ["copies shared"])
    with open("rubbish", "w") as file:
        file.write("{}\n")
    for name, promise in (("rubbish", "an input of another kind"), ("not-there", "an input that is not there")):
        done = cowshim("report", name)
        check(done.returncode == 125 and name in done.stderr, promise, done)


def options():
    done = cowshim("profile", "-o", "out.pdf", "true")
    check(done.returncode == 125 and ".html, .json, .txt or .folded" in done.stderr, "an output of another kind", done)
    done = cowshim("profile", "-o", "/not/there.html", "true")
    check(done.returncode == 125 and "No such file" in done.stderr, "an output that cannot be written, before the program runs", done)
    done = cowshim("profile", "--min-size", "64K", "--", *script("small = numpy.ones(16384)\nkept = [small.copy() for _ in range(300)]\n"))
    check("would lower the peak" in done.stderr, "--min-size takes smaller copies in; the text goes to stderr", done)
    done = cowshim("profile", "no-such-program")
    check(done.returncode == 127 and "did not run" in done.stderr, "a program that is not there", done)
    check(glob.glob("cowshim-profile.*") == [], "nothing is left in TMPDIR", os.listdir())


STORIES = (five_lines, filled_by_many, chained, applied, native, r_language, new_python, tried, libraries, threads, killed, descriptors, processes, verdicts, resized, summaries, pages,
           reports, options)


def main():
    """Without arguments all stories; otherwise those that are named."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for story in STORIES:
            if len(sys.argv) == 1 or story.__name__ in sys.argv:
                story()
        os.chdir("/")
    tap.end()


main()
