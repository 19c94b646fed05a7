#!/bin/sh
# SPDX-License-Identifier: MIT
# TAP: what `cowshim stat`, `map` and `top` say of a process agrees with what the process did, and with what the kernel says.
set -u

# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../../tests/support/tap.sh"
needs_shim

cowshim=$TOP_BUILDDIR/command/cowshim
target=$TOP_BUILDDIR/command/tests/target
work=$(mktemp -d) || exit 99
running=
trap 'kill $running 2>/dev/null; rm -rf "$work"' EXIT
for variable in $(env | sed -n 's/^\(COWSHIM_[A-Z_]*\)=.*/\1/p'); do
    [ "$variable" = COWSHIM_LIBRARY ] || unset "$variable"
done
export COWSHIM_POLICY=memory LC_ALL=C NO_COLOR=1

# start WORD ARGUMENT...: the target under the shim, until it says the word; $pid. With $mode as COWSHIM_MODE.
mode=auto
start() {
    word=$1
    shift
    : >"$work/said"
    COWSHIM_MODE=$mode LD_PRELOAD=$COWSHIM_LIBRARY "$target" "$@" >"$work/said" &
    pid=$!
    running="$running $pid"
    for i in $(seq 200); do
        grep -q "^$word" "$work/said" && return
        sleep 0.05
    done
    echo 'Bail out! the target does not start'
    exit 99
}

# value NAME: of the first process in the JSON answer.
value() {
    sed -n "s/^ *\"$1\": *\\(-\\{0,1\\}[0-9]*\\),\\{0,1\\}\$/\\1/p" "$work/json" | head -n 1
}

# differs NAME WANTED: a line when it is further away than one in a hundred.
differs() {
    got=$(value "$1")
    [ "${got:-x}" != x ] || { echo "$1 is not there"; return; }
    [ $((100 * (got > $2 ? got - $2 : $2 - got))) -le "$2" ] || echo "$1 is $got, not $2"
}

# agrees NAME WANTED: a line when it is another.
agrees() {
    [ "$(value "$1")" = "$2" ] || echo "$1 is $(value "$1"), not $2"
}

stat_json() {
    "$cowshim" stat --json "$1" >"$work/json" 2>"$work/err"
}

# refused NAME PATTERN COMMAND...: exit code 1 and that message, for stat as for map.
refused() {
    for command in stat map; do
        "$cowshim" $command "$3" >"$work/out" 2>"$work/err"
        code=$?
        problem=
        [ $code -eq 1 ] || problem="$command: exit code $code"
        grep -q "$2" "$work/err" || problem="$command: $(cat "$work/err")"
        [ -z "$problem" ] || break
    done
    result "$1" "$problem"
}

page=$(getconf PAGESIZE)
array=$((5120 * page))

start target 20 5120
stat_json "$pid"
result 'stat: 20 copies, of each a tenth rewritten' "$(
    agrees arrays 21
    agrees asked_bytes $((21 * array))
    differs logical_bytes $((21 * array))
    differs cost_bytes $((array + 20 * (array / 10)))
    differs saved_bytes $((18 * array))
    differs faulted_back_bytes $((2 * array))
    agrees copies_shared 20
)"
private=$(awk '/^Anonymous:/ { print $2 * 1024 }' "/proc/$pid/smaps_rollup")
result 'stat: the process has what smaps and its stores say' "$(differs process_bytes $((private + $(value store_bytes))))"
"$cowshim" stat "$pid" >"$work/out"
result 'stat: the same for people' "$(grep -q 'in 21 arrays' "$work/out" && grep -q '20 .*mapped$' "$work/out" || cat "$work/out")"
"$cowshim" stat --all --json >"$work/json"
result 'stat --all lists it and adds up' "$(grep -q "\"pid\": *$pid" "$work/json" && grep -q '"total"' "$work/json" || cat "$work/json")"
timeout 1.5 "$cowshim" stat --watch=0.2 --json "$pid" >"$work/out"
result 'stat --watch: a line each time' "$([ "$(grep -c "\"pid\":$pid" "$work/out")" -ge 2 ] || cat "$work/out")"

{ "$cowshim" stat "$pid"; "$cowshim" stat --all; COLUMNS=80 "$cowshim" map --where "$pid"; COLUMNS=80 "$cowshim" map --color=always "$pid"; } |
    sed "s/$(printf '\033')\[[0-9;]*m//g" >"$work/out"
result 'stat and map fit 80 columns' "$(grep -E '^.{81}' "$work/out"; [ -s "$work/out" ] || echo nothing)"
COLUMNS=92 "$cowshim" map "$pid" >"$work/out"
result 'map: a row for each array, a tenth of it private' "$(
    [ "$(grep -c '^#[0-9]* .* 90% .*[#+].*with #' "$work/out")" -eq 20 ] && grep -q '^#[0-9]* .*100% ==*  *with #' "$work/out" &&
        grep -q '^s1 ' "$work/out" || cat "$work/out")"
"$cowshim" map --where "$pid" >"$work/where"
result 'map --where: the address of each row, and who copied it from where' "$(
    [ "$(grep -c '^#[0-9]* *0x[0-9a-f]* *20.0 MiB  copied from #[0-9]* by .*target' "$work/where")" -eq 20 ] &&
        grep -q '^#[0-9]* *0x[0-9a-f]* *20.0 MiB  not copied into' "$work/where" || cat "$work/where")"
result 'map: no colours, no escapes where nobody wants them' "$(grep "$(printf '\033')" "$work/out")"
result 'map: colours where they are asked for' \
    "$("$cowshim" map --color=always "$pid" | grep -q "$(printf '\033')\\[48;5;33m" || echo none)"
"$cowshim" map -o "$work/map.svg" "$pid"
result 'map: SVG with titles, and nothing from elsewhere' "$(
    grep -q '<title>array 1, pages 0 to' "$work/map.svg" || echo 'no title'
    grep -o '\(href\|src\)=[^ ]*\|url([^)]*)' "$work/map.svg")"
"$cowshim" map -o "$work/map.html" "$pid"
result 'map: HTML for light and dark' "$(grep -q 'prefers-color-scheme:dark' "$work/map.html" && grep -q '</svg>' "$work/map.html" || echo none)"
"$cowshim" map -o "$work/map.txt" "$pid" 2>"$work/err"
result 'map: other files are refused' "$(grep -q '.svg or .html' "$work/err" || cat "$work/err")"
result 'top wants a terminal' "$("$cowshim" top 2>&1 </dev/null | grep -q 'needs a terminal' || echo 'it does not')"
if command -v script >/dev/null; then
    { sleep 1; printf 'r q'; } | TERM=xterm script -qec "stty cols 80 rows 24; exec $cowshim top --delay 0.3" /dev/null >"$work/out" 2>&1
    result 'top lists it, and ends by q' "$(grep -q "$pid" "$work/out" || cat "$work/out")"
fi
kill "$pid"
wait "$pid" 2>/dev/null
refused 'a process that vanished' "no process $pid" "$pid"

start child 2 5120 fork
child=$(sed -n 's/^child //p' "$work/said")
running="$running $child"
stat_json "$pid"
result 'the parent of a fork has its own numbers' "$(agrees copies_shared 2; agrees arrays 3)"
stat_json "$child"
result 'and so has the child, with the arrays that it inherited' "$(agrees copies_shared 1; agrees arrays 4; differs private_bytes $((array / 5 + array / 2)))"
result 'each is told of the other' "$("$cowshim" stat "$child" | grep -q "process $pid .*shows some of these" || "$cowshim" stat "$child")"

start target 5 5120 close
stat_json "$pid"
result 'a program that closes every descriptor is still seen' "$([ "$(id -u)" -ne 0 ] || agrees copies_shared 5; cat "$work/err")"

start target 299 256
"$cowshim" map "$pid" >"$work/out" 2>&1
result 'hundreds of arrays: a row for each' "$([ "$(grep -c '^#' "$work/out")" -eq 300 ] || sed -n 1,4p "$work/out")"

refused 'a process without the shim' 'runs without the shim' $$
mode=off
start target 1 5120
refused 'a process where it is switched off' 'COWSHIM_MODE=off' "$pid"
mode=auto
start target 1 16
refused 'a process without a large allocation' 'no large allocation' "$pid"
start target 1 16 other
refused 'a page of another version: both versions, and what to do' 'in version 2 of the page.* knows version 1' "$pid"
start target 1 16 none
refused 'something else of that name' 'none of ours' "$pid"
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    start target 2 5120
    problem=
    setpriv --reuid=65534 --regid=65534 --clear-groups "$cowshim" stat "$pid" 2>"$work/err" && problem='he may read it'
    grep -q 'may not be read' "$work/err" || problem="$problem $(cat "$work/err")"
    result 'another user is told that the process may not be read' "$problem"
fi
refused 'no process at all' 'there is no process' 2147483646
"$cowshim" stat word 2>"$work/err"
result 'no number' "$([ $? -eq 125 ] && grep -q 'word is no process id' "$work/err" || cat "$work/err")"
end
