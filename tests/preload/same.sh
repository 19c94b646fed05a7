#!/bin/sh
# Programs that print what they see, the same natively and under the shim, whatever is missing there.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../../tests/support/tap.sh"
bin=${TOP_BUILDDIR:-.}/tests/preload
programs='memory_calls io_calls io_pages'
variants='- guard-always guard-always,uffd-off guard-always,uffd-off,scan-off,vma-off,tmpfs-off'

needs_shim
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
for program in $programs; do
    STORY_DIRECTORY=$work timeout $((120 * ${TEST_PATIENCE:-1})) "$bin/$program" >"$work/native" 2>&1
    echo "ended with status $?" >>"$work/native"
    for variant in $variants; do
        words=$variant
        [ "$variant" != - ] || words=
        STORY_DIRECTORY=$work COWSHIM_INTERNAL=$words COWSHIM_MIN_SIZE=64K COWSHIM_POLICY=memory COWSHIM_STATS=$work/stats \
            LD_PRELOAD=$COWSHIM_LIBRARY timeout $((120 * ${TEST_PATIENCE:-1})) "$bin/$program" >"$work/shim" 2>&1
        echo "ended with status $?" >>"$work/shim"
        if ! grep -q '"copies_shared":[1-9]' "$work/stats"; then
            not_ok "$program, without $variant: nothing was shared"
        elif diff -U 1000 "$work/native" "$work/shim" >"$work/diff"; then
            ok "$program prints the same, without $variant: $(wc -l <"$work/native") lines"
        else
            grep -E '^ [0-9]+\.|^[-+]' "$work/diff" | grep -B 1 -E '^[-+]' | head -n 40 | explain
            not_ok "$program prints the same, without $variant"
        fi
        rm -f "$work/stats"
    done
    grep '^skipped: ' "$work/native" | sort -u | explain
done
end
