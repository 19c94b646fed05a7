# SPDX-License-Identifier: MIT
# To be sourced by a test: prints TAP. A line that begins with # says what went wrong.
tap_count=0 tap_failed=0

ok() {
    tap_count=$((tap_count + 1))
    echo "ok $tap_count - $1"
}

# not_ok PROMISE [WHAT-IS-WRONG]
not_ok() {
    tap_count=$((tap_count + 1)) tap_failed=1
    [ -z "${2:-}" ] || echo "$2" | explain
    echo "not ok $tap_count - $1"
}

# skip PROMISE WHY
skip() {
    tap_count=$((tap_count + 1))
    echo "ok $tap_count - $1 # SKIP $2"
}

# result PROMISE WHAT-IS-WRONG: kept when nothing is.
result() {
    if [ -z "$2" ]; then ok "$1"; else not_ok "$1" "$2"; fi
}

# is PROMISE WANTED GOT [FILE]: the file says more if they differ.
is() {
    if [ "$2" = "$3" ]; then
        ok "$1"
    else
        printf 'wanted: %s\ngot:    %s\n' "$2" "$3" | explain
        [ -z "${4:-}" ] || explain "$4"
        not_ok "$1"
    fi
}

# explain [FILE]: what it says, or standard input, as remarks.
explain() { sed 's/^/# /' "$@"; }

# skip_all WHY: ends the script before its first promise.
skip_all() {
    echo "1..0 # SKIP $1"
    exit 0
}

# Becomes a Python program, run by the first Python that has the module: exec_python MODULE WHAT-IS-MISSING PROGRAM [ARGUMENT]...
exec_python() {
    module=$1 missing=$2
    shift 2
    for python in /usr/bin/python3 python3; do
        if "$python" -c "import $module" 2>/dev/null; then
            exec "$python" -B "$@"
        fi
    done
    skip_all "no Python with $missing"
}

needs_shim() {
    [ -e "$COWSHIM_LIBRARY" ] || skip_all "no $COWSHIM_LIBRARY: a sanitizer build has no shim"
}

# take_work "$@": $work is a folder that goes with this script; a worker, called with --one FOLDER, has its caller's.
take_work() {
    if [ "${1:-}" = --one ]; then
        work=$2
    else
        work=$(mktemp -d) || exit 99
        trap 'rm -rf "$work"' EXIT
    fi
}

# merge FILE...: what several scripts printed, as one; fails when one of them has a broken promise, or said nothing.
merge() {
    for part; do
        cat "$part" 2>/dev/null || echo "not ok - what $part has to say"
    done | awk '
        /^ok/     { sub(/^ok( [0-9]+)?/, "ok " ++count) }
        /^not ok/ { sub(/^not ok( [0-9]+)?/, "not ok " ++count); failed = 1 }
                  { print }
        END       { print "1.." count + 0; exit failed }'
}

# The end of a script.
end() {
    echo "1..$tap_count"
    exit $tap_failed
}
