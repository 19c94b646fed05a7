#!/bin/sh
# Runs each story of this folder under the shim, in every variant of the table below. Only the story is preloaded, never this.
here=$(dirname "$0")
bin=$TOP_BUILDDIR/tests/preload
count=0

# variant: what COWSHIM_INTERNAL takes away; "-" takes nothing
variants='- uffd-off scan-off,vma-off,tmpfs-off,uffd-off'

if [ ! -e "$COWSHIM_LIBRARY" ]; then
    echo "1..0 # SKIP no $COWSHIM_LIBRARY: a sanitizer build has no shim"
    exit 0
fi
for story in fork_unannounced fork_threads jump_out; do
    for variant in $variants; do
        count=$((count + 1))
        words=$variant
        [ "$variant" != - ] || words=
        if said=$(COWSHIM_INTERNAL=$words COWSHIM_POLICY=memory LD_PRELOAD=$COWSHIM_LIBRARY timeout 120 "$bin/$story" 2>&1); then
            echo "ok $count - $story, without: $variant"
        else
            echo "not ok $count - $story, without: $variant"
            echo "$said" | sed 's/^/# /'
        fi
    done
done

# The library exports exactly what it stands in front of.
count=$((count + 1))
if nm -D --defined-only "$COWSHIM_LIBRARY" | awk '$2 == "T" { sub(/@.*/, "", $3); print $3 }' | sort | diff "$here/exports.txt" - >/dev/null; then
    echo "ok $count - exports are those of exports.txt"
else
    echo "not ok $count - exports are those of exports.txt"
fi
echo "1..$count"
