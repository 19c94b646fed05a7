#!/bin/sh
# Walks a failing system call through the scene: the n-th call of ours fails, for n = 1 until a run makes no n-th call; in other walks
# the n-th and all later ones. Then each place in the library that makes system calls (objdump lists them) fails at every call, and none may
# be out of the scene's reach. Each time the scene must find all bytes right, errno kept and nothing left behind.
# STEP=1 takes every n in every walk; otherwise the walks of the table skip some, after a beginning that is dense.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../../tests/support/tap.sh"
bin=$TOP_BUILDDIR/tests/preload
take_work "$@"

# One run of a part of the scene with these faults: 0 when there was one, which the library says itself.
run() {
    part=$1 faults=$2 leaves=$3
    case $part in anon) scope=anon ;; *) scope=malloc ;; esac
    case $part in exit) stats=/dev/null ;; *) stats=stderr ;; esac
    said=$(COWSHIM_INTERNAL=$faults COWSHIM_LOG=info COWSHIM_MIN_SIZE=32K COWSHIM_POLICY=memory COWSHIM_COREDUMP=1 COWSHIM_STATS=$stats \
        COWSHIM_SCOPE=$scope LD_PRELOAD=$COWSHIM_LIBRARY timeout -k 1 $((20 * ${TEST_PATIENCE:-1})) "$bin/scene" "$part" 2>&1)
    status=$?
    runs=$((runs + 1))
    echo "$said" | sed -n 's/.* fails at sys_call//p' >>"$work/$number.failed"
    # A view that the kernel does not let go stays.
    if [ $status -ne 0 ] && [ "$status$leaves" != 3may-leave-views ]; then
        bad=$((bad + 1))
        echo "# $part, $faults: status $status"
        echo "$said" | tail -n 5 | sed 's/^/#   /'
    fi >>"$work/$number.out"
    case $said in *" fails at "*) return 0 ;; esac
    return 1
}

tell() {
    if [ $bad -eq 0 ] && [ $runs -gt 0 ]; then
        ok "$1: $runs runs"
    else
        not_ok "$1: $bad of $runs runs"
        head -n 24 "$work/$number.out"
    fi >"$work/$number.result"
}

walk() {
    number=$1 leaves='' step=${STEP:-$5} words=${6:+$6,}
    [ "$3" = fail ] || leaves=may-leave-views
    n=1 bad=0 runs=0
    while run "$2" "$words$3=$n,fail-errno=$4" "$leaves"; do
        n=$((n + (n < 60 ? 1 : step)))
    done
    tell "$2, $3 n, error $4, ${6:-all there}"
}

# All faults at one place, in the first way of the list that leads there. Some come only after others: those of the walks count as well.
fail_site() {
    while read -r part error words; do
        run "$part" "${words:+$words,}fail-site=$1,fail-errno=$error" may-leave-views </dev/null && return
    done <"$work/ways"
    if ! cat "$work"/*.failed | grep -qxF -e "$1"; then
        echo "# nothing leads to sys_call$1, in $2" >>"$work/$number.out"
        bad=$((bad + 1))
    fi
}

# What follows each call, relative to sys_call(): what the library says as well.
list_sites() {
    objdump -d --no-show-raw-insn "$COWSHIM_LIBRARY" | awk '
        /^[0-9a-f]+ <.*>:$/ { function_name = $2 }
        $2 == "<sys_call>:" { print $1, "base" }
        after != "" { sub(/:/, "", $1); print $1, after; after = "" }
        /[ \t](call|jmp) .*<sys_(call|must_fail)>/ { after = function_name }' | sort -k 2 >"$work/places"
    base=$(sed -n 's/ base$//p' "$work/places")
    while read -r address name; do
        [ "$name" = base ] || printf '%+d %s\n' $((0x$address - 0x$base)) "$name"
    done <"$work/places"
}

sites() {
    number=$1 bad=0 runs=0
    list_sites >"$work/sites"
    while read -r site name; do
        fail_site "$site" "$name"
    done <"$work/sites"
    tell "each of $(wc -l <"$work/sites") places that make system calls fails"
}

if [ "$1" = --one ]; then
    # shellcheck disable=SC2046 # the table is ours: its words are the arguments
    walk "$3" $(sed -n "$3p" "$work/all")
    exit
fi
needs_shim
# part of the scene, what fails, errno, step from n = 60 on, COWSHIM_INTERNAL
cat >"$work/all" <<END
small       fail      12 3
small       fail      12 5  guard-always
small       fail      12 5  guard-always,uffd-off
small       fail      12 7  guard-always,uffd-off,scan-off,vma-off,tmpfs-off
small       fail-from 12 29
small       fail-from 22 37 guard-always
small       fail-from 1  41 guard-always,uffd-off
large       fail      12 17
large       fail-from 38 41 guard-always
descriptors fail      12 7  guard-always
anon        fail      12 5  vma-off
anon        fail-from 12 9  guard-always
END
# part of the scene, errno, COWSHIM_INTERNAL
cat >"$work/ways" <<END
small 12
small 12 guard-always
small 12 guard-always,uffd-off
small 12 scan-off
anon 12 vma-off
large 12
large 12 scan-off
descriptors 12
exit 12
registered 12
held 12
END
lines=$(wc -l <"$work/all")
seq "$lines" | xargs -P "$(nproc)" -n 1 "$0" --one "$work"
sites $((lines + 1))
# shellcheck disable=SC2046 # names of ours
merge $(seq "$((lines + 1))" | sed "s|.*|$work/&.result|")
