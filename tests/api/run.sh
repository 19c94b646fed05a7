#!/bin/sh
# SPDX-License-Identifier: MIT
# TAP: a program that uses every call of cowshim.h builds with each compiler that there is, in every way to link, without a library
# of ours, finds the shim where one is preloaded, and prints the same with and without it, in all modes.
here=$(cd "$(dirname "$0")" && pwd)
source=$here/every.c
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../../tests/support/tap.sh"

# build NAME COMPILER OPTION...: a program, or not ok. Warnings are errors.
build() {
    name=$1 compiler=$2
    shift 2
    "$compiler" "$@" -Wall -Wextra -Wpedantic -Wshadow -Werror -I"$TOP_SRCDIR/include" -I"$TOP_SRCDIR/src" -o "$work/$name" >"$work/said" 2>&1
}

has() { command -v "$1" >"$work/said" 2>&1; }

# same NAME SETTING...: the program under these prints what it printed alone.
same() {
    name=$1
    shift
    if env "$@" "$work/$name" >"$work/out" 2>"$work/err" && cmp -s "$work/expected" "$work/out"; then
        ok "$name: the same with $*"
    else
        not_ok "$name: the same with $*"
        explain "$work/err"
        diff "$work/expected" "$work/out" | explain /dev/stdin
    fi
}

if ! build reference "${CC:-cc}" -std=c11 -O1 -D_GNU_SOURCE "$source" || ! "$work/reference" >"$work/expected" 2>"$work/said"; then
    explain "$work/said"
    not_ok 'the program builds and runs without the shim'
    end
fi
ok 'the program builds and runs without the shim'

# ways: a name, the compiler, whether a preloaded shim is to be found, options
while read -r name compiler finds options; do
    if ! has "$compiler"; then
        skip "$name" "no $compiler"
        continue
    fi
    # shellcheck disable=SC2086 # options are words
    if ! build "$name" "$compiler" -D_GNU_SOURCE $options "$source"; then
        explain "$work/said"
        not_ok "$name: builds"
        continue
    fi
    same "$name" LC_ALL=C
    [ -e "$COWSHIM_LIBRARY" ] || continue
    [ "$finds" = yes ] && same "$name" LD_PRELOAD="$COWSHIM_LIBRARY"
    found=$(LD_PRELOAD=$COWSHIM_LIBRARY "$work/$name" x)
    case $finds$found in
    yes1* | no0*) ok "$name: finds the shim: $finds" ;;
    *) not_ok "$name: finds the shim: $finds" ;;
    esac
done <<'WAYS'
gcc-O0          gcc     yes -std=c11 -O0
gcc-O3          gcc     yes -std=c11 -O3
gcc-lto         gcc     yes -std=c11 -O2 -flto
gcc-no-pie      gcc     yes -std=c11 -O2 -fno-pie -no-pie
gcc-no-pie-O0   gcc     yes -std=c11 -O0 -fno-pie -no-pie
gcc-static      gcc     no  -std=c11 -O2 -static
gcc-static-pie  gcc     no  -std=c11 -O2 -static-pie
clang-O0        clang   yes -std=c11 -O0
clang-O3        clang   yes -std=c11 -O3
clang-no-pie    clang   yes -std=c11 -O2 -fno-pie -no-pie
g++             g++     yes -std=c++11 -O2 -x c++
clang++         clang++ yes -std=c++17 -O2 -x c++
WAYS

# Sanitizers come first in a process and bring their own malloc: the program alone.
if build sanitized "${CC:-cc}" -std=c11 -O1 -g -D_GNU_SOURCE -fsanitize=address,undefined -fno-sanitize-recover=all "$source"; then
    same sanitized ASAN_OPTIONS=detect_leaks=0
else
    skip 'sanitized' 'the compiler has no sanitizers'
fi

# A shared library that uses it, in a program that does not.
if build library.so "${CC:-cc}" -std=c11 -O2 -D_GNU_SOURCE -shared -fPIC -Dmain=library_main "$source" &&
    echo 'int library_main(int, char **); int main(int count, char **words) { return library_main(count, words); }' >"$work/main.c" &&
    "${CC:-cc}" -o "$work/with-library" "$work/main.c" "$work/library.so" -Wl,-rpath,"$work"; then
    same with-library LC_ALL=C
    [ ! -e "$COWSHIM_LIBRARY" ] || same with-library LD_PRELOAD="$COWSHIM_LIBRARY"
else
    explain "$work/said"
    not_ok 'a shared library builds'
fi

if [ -e "$COWSHIM_LIBRARY" ]; then
    for setting in COWSHIM_MODE=off COWSHIM_MODE=registered COWSHIM_SCOPE=anon COWSHIM_POLICY=memory COWSHIM_POLICY=speed \
        COWSHIM_INTERNAL=scan-off,vma-off,tmpfs-off,uffd-off COWSHIM_INTERNAL=memfd-off,tmpfs-off \
        COWSHIM_INTERNAL=guard-always COWSHIM_PROGRAMS=other; do
        same reference LD_PRELOAD="$COWSHIM_LIBRARY" "$setting"
    done
else
    skip 'reference: with the shim' 'a sanitizer build has no shim'
fi
end
