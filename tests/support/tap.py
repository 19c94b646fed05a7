"""Prints TAP, as tap.sh does for scripts. A line that begins with # says what went wrong."""


class Tap:
    """Counts, and prints one line per check."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def check(self, good, promise, details=""):
        if good:
            self.passed += 1
        else:
            self.failed += 1
        print(f"{'ok' if good else 'not ok'} {self._number()} - {promise}", flush=True)
        for line in [] if good else str(details).splitlines()[-40:]:
            print(f"#   {line}")
        return good

    def skip(self, promise, reason):
        self.skipped += 1
        print(f"ok {self._number()} - {promise} # SKIP {reason}", flush=True)

    def note(self, text):
        print(f"# {text}", flush=True)

    def end(self):
        print(f"1..{self._number()}")

    def summary(self):
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"

    def _number(self):
        return self.passed + self.failed + self.skipped
