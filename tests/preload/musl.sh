#!/bin/sh
# The shim built with musl-gcc, and the stories that need no call that only glibc has.
here=$(cd "$(dirname "$0")" && pwd)
top=$here/../..
stories='race scene api_anon,COWSHIM_SCOPE=anon api_diff api_misuse fork_threads jump_out'
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

skip() {
    echo "1..0 # SKIP $1"
    exit 0
}
[ -e "$COWSHIM_LIBRARY" ] || skip "no $COWSHIM_LIBRARY: a sanitizer build has no shim"
command -v musl-gcc >/dev/null || skip "musl-gcc is not installed"
# Debian's musl-gcc brings no kernel headers.
mkdir "$work/kernel"
for part in linux asm-generic asm; do
    for place in /usr/include "/usr/include/$(gcc -print-multiarch)"; do
        [ -d "$place/$part" ] && ln -sfn "$place/$part" "$work/kernel/$part"
    done
done

build() {
    musl-gcc -std=gnu11 -D_GNU_SOURCE -O1 -Wall -Werror -fno-builtin -I"$top/src" -I"$top/include" -idirafter "$work/kernel" "$@" >"$work/log" 2>&1
}

echo "1..$(($(echo "$stories" | wc -w) + 1))"
if build -DPACKAGE_VERSION='"musl"' -shared -fPIC -fvisibility=hidden -fno-tree-loop-distribute-patterns -fno-delete-null-pointer-checks \
    -ftls-model=initial-exec -Wl,--version-script="$top/src/shim/libcowshim.map" -o "$work/shim.so" \
    $(find "$top/src" -name "*.c"); then
    echo "ok 1 - the shim builds"
else
    sed 's/^/# /' "$work/log" | head -n 20
    echo "not ok 1 - the shim builds"
fi
number=1
for story in $stories; do
    number=$((number + 1))
    name=${story%%,*}
    setting=${story#"$name"}
    # the million of racing writes is for the library that is shipped
    if build -w -DRACING_WRITES=100000 -o "$work/$name" "$here/$name.c" &&
        timeout 120 env COWSHIM_POLICY=memory COWSHIM_MIN_SIZE=64K ${setting:+"${setting#,}"} LD_PRELOAD="$work/shim.so" "$work/$name" \
            >"$work/log" 2>&1 && ! grep -q '^not ok' "$work/log"; then
        echo "ok $number - $name"
    else
        grep -E '^#|not ok|error' "$work/log" | sed 's/^[^#]/# &/'
        echo "not ok $number - $name"
    fi
done
