#!/bin/sh
# SPDX-License-Identifier: MIT
# TAP: with COWSHIM_COREDUMP=1 a core has what arrays and their copies hold; without it, views in which nothing was written are left
# out of it, which gdb reads as zeros, and no other byte is wrong.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../../tests/support/tap.sh"
program=$TOP_BUILDDIR/tests/preload/core_dump
names='array copy changed large large_copy'

needs_shim
command -v gdb >/dev/null || skip_all "gdb is not installed"
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

# tell PROMISE WHAT-IS-WRONG [WHY-SKIPPED]
tell() {
    if [ -n "$3" ]; then skip "$1" "$3"; else result "$1" "$2"; fi
}

# Takes the place of the shell that it is called in.
preloaded() {
    exec env COWSHIM_MIN_SIZE=64K COWSHIM_POLICY=memory COWSHIM_COREDUMP="$1" LD_PRELOAD="$COWSHIM_LIBRARY" "$program" "$work" $2
}

# read_core CORE: the arrays, as gdb finds them in it.
read_core() {
    set -- "$1" -batch -nx -iex 'set debuginfod enabled off'
    for name in $names; do
        rm -f "$work/$name.core"
        size=$(stat -c %s "$work/$name")
        set -- "$@" -ex "set \$from = *(unsigned long *)&$name" -ex "dump binary memory $work/$name.core \$from \$from+$size"
    done
    core=$1
    shift
    gdb "$@" "$program" "$core" >"$work/said" 2>&1
}

wrong_bytes() {
    for name in $names; do
        cmp "$work/$name" "$work/$name.core" 2>&1 | sed "s|$work/||g"
    done
}

# What a core without the variable may not have: other bytes than those of the array or zero.
made_up() {
    for name in $names; do
        cmp -l "$work/$name" "$work/$name.core" 2>&1 | awk -v name=$name '$3 != 0 { print name ": " $0 }' | head -n 3
    done
}

left_out() {
    for name in $names; do
        cmp -s "$work/$name" "$work/$name.core" || printf '%s ' $name
    done
}

# The kernel's core of a program that aborts; says why there is none.
dump_core() {
    rm -f "$work"/core*
    (cd "$work" && ulimit -c unlimited && preloaded "$1") >/dev/null 2>&1
    for core in "$work"/core*; do
        [ ! -s "$core" ] || return 0
    done
    echo "no core is written here: core_pattern is $(cat /proc/sys/kernel/core_pattern), ulimit -c $(ulimit -H -c)"
}

# The same by gdb's gcore, of one that lives.
dump_alive() {
    rm -f "$work"/core* "$work/ready" "$work/in"
    mkfifo "$work/in"
    preloaded "$1" wait <"$work/in" >"$work/ready" &
    exec 3>"$work/in"
    pid=$!
    for i in $(seq 200); do
        grep -q ready "$work/ready" && break
        sleep 0.05
    done
    gcore -o "$work/core" $pid >"$work/gcore" 2>&1
    exec 3>&-
    wait $pid
    core=$work/core.$pid
    [ -s "$core" ] || tail -n 1 "$work/gcore"
}

for dump in dump_core dump_alive; do
    why=$($dump 1 2>/dev/null)
    core=$(echo "$work"/core*)
    [ -n "$why" ] || read_core "$core"
    tell "$dump, COWSHIM_COREDUMP=1: right bytes in arrays and copies" "$(wrong_bytes)" "$why"
done
why=$(dump_core 0 2>/dev/null)
core=$(echo "$work"/core*)
[ -n "$why" ] || read_core "$core"
wrong=$(made_up)
missing=$(left_out)
case $missing in *array*copy*) ;; *) wrong="$wrong the setting is not needed: ${missing:-nothing }is left out" ;; esac
tell "dump_core without it: what is left out (${missing% }) reads as zero, and no byte is wrong" "$wrong" "$why"
end
