#!/bin/sh
# Walks a failing system call through the scene: the n-th call of ours fails, for n = 1 until a run makes no n-th call; in another
# walk the n-th and all later ones fail. At every n the scene must find each byte right, errno kept and nothing left behind. At the end the
# list of calls that failed is compared with the calls in the library: none may have been left out.
# STEP=1 takes every n in every walk; otherwise the walks of the table with a larger step skip some.
bin=$TOP_BUILDDIR/tests/preload
if [ "$1" = --one ]; then
    work=$2
else
    work=$(mktemp -d) || exit 99
    trap ': rm -rf "$work"' EXIT
fi

# One run: 0 when it made an n-th call. The library's own words say so, and where from.
run() {
    said=$(COWSHIM_INTERNAL="$words$mode=$n,fail-errno=$error" COWSHIM_LOG=info COWSHIM_MIN_SIZE=32K COWSHIM_POLICY=memory \
        COWSHIM_COREDUMP=1 COWSHIM_STATS=stderr \
        LD_PRELOAD=$COWSHIM_LIBRARY timeout 20 "$bin/scene" "$part" 2>&1)
    status=$?
    if [ $status -ne 0 ] && [ "$mode$status" != fail-from3 ]; then
        echo "# n = $n: status $status"
        echo "$said" | tail -n 5 | sed 's/^/#   /'
        bad=$((bad + 1))
    fi >>"$work/$number.out"
    echo "$said" | sed -n 's/.* fails at sys_call\([-+0-9]*\)$/\1/p' >>"$work/$number.sites"
    case $said in *"call $n fails"*) return 0 ;; esac
    return 1
}

walk() {
    number=$1 part=$2 mode=$3 error=$4 step=${STEP:-$5} words=${6:+$6,}
    n=1 bad=0 runs=0
    while run; do
        runs=$((runs + 1))
        n=$((n + (n < 60 ? 1 : step)))
    done
    if [ $bad -eq 0 ] && [ $runs -gt 0 ]; then
        echo "ok $number - $part, $mode n, error $error, without ${6:-nothing}: $runs runs"
    else
        echo "not ok $number - $part, $mode n, error $error, without ${6:-nothing}: $bad of $runs runs"
        head -n 24 "$work/$number.out"
    fi >"$work/$number.result"
}

if [ "$1" = --one ]; then
    # shellcheck disable=SC2046
    walk "$3" $(sed -n "$3p" "$work/walks")
    exit
fi
if [ ! -e "$COWSHIM_LIBRARY" ]; then
    echo "1..0 # SKIP no $COWSHIM_LIBRARY: a sanitizer build has no shim"
    exit 0
fi
# part of the scene, what fails, errno, step from n = 60 on, COWSHIM_INTERNAL
cat >"$work/walks" <<END
small       fail      12 2
small       fail      12 3  guard-always
small       fail      12 3  guard-always,uffd-off
small       fail      12 5  guard-always,uffd-off,scan-off,vma-off,tmpfs-off
small       fail-from 12 29
small       fail-from 22 37 guard-always
small       fail-from 1  41 guard-always,uffd-off
large       fail      12 1
large       fail-from 38 41 guard-always
descriptors fail      12 1  guard-always
END
lines=$(wc -l <"$work/walks")
echo "1..$((lines + 1))"
seq "$lines" | xargs -P "$(nproc)" -n 1 "$0" --one "$work"
number=0
while [ $number -lt "$lines" ]; do
    number=$((number + 1))
    cat "$work/$number.result"
done

# What follows each call of sys_call() or its like, relative to sys_call(): the same numbers as the library's.
objdump -d --no-show-raw-insn "$COWSHIM_LIBRARY" | awk '
    /^[0-9a-f]+ <.*>:$/ { function_name = $2 }
    $2 == "<sys_call>:" { print "base", $1 }
    after { sub(/:/, "", $1); print "site", $1, after; after = "" }
    /[ \t](call|jmp) .*<sys_(call|must_fail)>/ { after = function_name }' |
    while read -r kind address name; do
        [ "$kind" = base ] && base=$address
        echo "$kind $address $name"
    done >"$work/calls"
base=$(sed -n 's/^base //p' "$work/calls")
cat "$work"/*.sites | sort -u >"$work/failed"
missed=$(while read -r kind address name; do
    [ "$kind" = site ] || continue
    offset=$(printf '%+d' $((0x$address - 0x$base)))
    grep -qxF -e "$offset" "$work/failed" || echo "# sys_call$offset, in $name"
done <"$work/calls")
count=$(grep -c ^site "$work/calls")
if [ "$count" -gt 0 ] && [ -z "$missed" ]; then
    echo "ok $((lines + 1)) - all $count places that make system calls were made to fail"
else
    echo "not ok $((lines + 1)) - some of $count places that make system calls never failed"
    echo "$missed"
fi
