#!/bin/sh
# Runs every line of tests/preload/stories: TAP, a line for each story that a program tells, as many programs at a time as there are
# processors. run.sh [NAME...] runs these only. Only the story is preloaded, never this.
here=$(cd "$(dirname "$0")" && pwd)
bin=${TOP_BUILDDIR:-.}/tests/preload

# shellcheck source=tests/support/tap.sh
. "$here/../support/tap.sh"
needs_shim
take_work "$@"

# shellcheck source=tests/support/find_library.sh
. "$here/../support/find_library.sh"

# One of these tests, or one that is installed.
preloaded() {
    case $1 in
    ./*) echo "$bin/.libs/${1#./}" ;;
    *) find_library "$1" ;;
    esac
}

# name program[,argument...] [environment]
run_one() {
    name=$1
    program=$(echo "$2" | tr , ' ')
    shift 2
    before='' behind=''
    for setting; do
        case $setting in
        AHEAD=* | BEHIND=*)
            library=$(preloaded "${setting#*=}")
            if [ -z "$library" ]; then
                skip "$name" "${setting#*=} is not installed"
                return
            fi
            [ "${setting%%=*}" = AHEAD ] && before=$library: || behind=:$library
            ;;
        esac
    done
    # shellcheck disable=SC2086 # the arguments of the table are words
    timeout -k 9 $((240 * ${TEST_PATIENCE:-1})) env COWSHIM_POLICY=memory COWSHIM_STATS="$work/$name.stats" STORY_LIBRARIES="$bin/.libs" "$@" LD_PRELOAD="$before$COWSHIM_LIBRARY$behind" \
        "$bin/"$program >"$work/$name.out" 2>&1
    status=$?
    awk -v name="$name" -v status=$status '
        /^begin / { open = substr($0, 7); next }
        /^ok /     { print "ok - " name ": " substr($0, 4); told++; open = ""; next }
        /^not ok / { print "not ok - " name ": " substr($0, 8); told++; broken++; open = ""; next }
        /^skip /   { print "ok - " name ": " substr($0, 6) " # SKIP " why; told++; open = ""; next }
        { why = $0; sub(/^# /, "", why); print "# " why }
        END {
            if (open != "") print "not ok - " name ": " open " (ended with status " status ")"
            else if (told == 0 && status == 77) print "ok - " name " # SKIP " why
            else if (told == 0 || (status != 0 && !broken)) print (status == 0 ? "ok" : "not ok") " - " name (status == 0 ? "" : " (ended with status " status ")")
        }' "$work/$name.out"
}

if [ "$1" = --one ]; then
    # shellcheck disable=SC2046 # the table is ours: its words are the arguments
    run_one $(sed -n "$3p" "$work/all") >"$work/$3.result"
    exit
fi
grep -v '^#' "$here/stories" >"$work/all"
if [ $# -gt 0 ]; then
    for wanted; do grep "^$wanted " "$work/all"; done >"$work/some"
    mv "$work/some" "$work/all"
fi
lines=$(wc -l <"$work/all")
seq "$lines" | xargs -P "$(nproc)" -n 1 "$0" --one "$work"

# The library exports exactly what it stands in front of, without versions, and the control interface with its own. A line of
# COWSHIM_1 that changes is a change of the ABI: they stay as they are for ever, what is new gets the next version.
promised_exports() {
    sed -nE 's/^INTERPOSE(_REST)?\(([A-Za-z0-9_]+), .*/\2/p' "$TOP_SRCDIR/src/base/hooks.def"
    awk '$2 == "{" { version = $1 } $1 ~ /^cowshim_.*;$/ { sub(/;/, "", $1); print $1 "@@" version }' "$TOP_SRCDIR/src/shim/libcowshim.map"
}

# Where lines are counted (tools/coverage) gcov adds its own, and tests/support/count_exits.c two.
counted='^$'
nm -D --defined-only "$COWSHIM_LIBRARY" | grep -q ' __gcov_' && counted='^(__gcov_.*|mangle_path|_exit|_Exit)$'
promise='the library exports what hooks.def and libcowshim.map name'
promised_exports | LC_ALL=C sort >"$work/promised"
if nm -D --defined-only "$COWSHIM_LIBRARY" | awk -v counted="$counted" '$2 != "A" && $3 !~ counted { print $3 }' | LC_ALL=C sort |
    diff "$work/promised" - >"$work/exports"; then
    ok "$promise"
else
    explain "$work/exports"
    not_ok "$promise"
fi >"$work/$((lines + 1)).result"
# shellcheck disable=SC2046 # names of ours
merge $(seq "$((lines + 1))" | sed "s|.*|$work/&.result|")
