#!/bin/sh
# Programs that print what they see, the same natively and under the shim, whatever is missing there.
bin=${TOP_BUILDDIR:-.}/tests/preload
programs='memory_calls io_calls'
variants='- guard-always guard-always,uffd-off guard-always,uffd-off,scan-off,vma-off,tmpfs-off'

if [ ! -e "$COWSHIM_LIBRARY" ]; then
    echo "1..0 # SKIP no $COWSHIM_LIBRARY: a sanitizer build has no shim"
    exit 0
fi
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
count=0
for program in $programs; do
    STORY_DIRECTORY=$work timeout 120 "$bin/$program" >"$work/native" 2>&1
    echo "ended with status $?" >>"$work/native"
    for variant in $variants; do
        count=$((count + 1))
        words=$variant
        [ "$variant" != - ] || words=
        STORY_DIRECTORY=$work COWSHIM_INTERNAL=$words COWSHIM_MIN_SIZE=64K COWSHIM_POLICY=memory COWSHIM_STATS=$work/stats \
            LD_PRELOAD=$COWSHIM_LIBRARY timeout 120 "$bin/$program" >"$work/shim" 2>&1
        echo "ended with status $?" >>"$work/shim"
        if ! grep -q '"copies_shared":[1-9]' "$work/stats"; then
            echo "not ok $count - $program, without $variant: nothing was shared"
        elif diff -U 1000 "$work/native" "$work/shim" >"$work/diff"; then
            echo "ok $count - $program prints the same, without $variant: $(wc -l <"$work/native") lines"
        else
            grep -E '^ [0-9]+\.|^[-+]' "$work/diff" | grep -B 1 -E '^[-+]' | head -n 40 | sed 's/^/# /'
            echo "not ok $count - $program prints the same, without $variant"
        fi
        rm -f "$work/stats"
    done
    grep '^skipped: ' "$work/native" | sort -u | sed 's/^/# /'
done
echo "1..$count"
