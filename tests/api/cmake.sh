#!/bin/sh
# SPDX-License-Identifier: MIT
# TAP: a program that is built by CMake finds the header, and where the shim is.
set -u

# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"
needs_shim
command -v cmake >/dev/null || skip_all 'cmake is not installed'
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
make -C "$TOP_BUILDDIR" -s install-nodist_cmakeDATA install-includeHEADERS DESTDIR="$work/root" >"$work/log" 2>&1
is 'the files are installed' 0 $? "$work/log"
folder=$(cd "$(dirname "$(find "$work/root" -name cowshimConfig.cmake)")" && pwd -P)
cat >"$work/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.18)
project(program C)
find_package(cowshim ${WANTED} REQUIRED)
find_package(cowshim REQUIRED)
add_executable(program program.c)
target_link_libraries(program cowshim::cowshim)
message(STATUS "<${cowshim_PRELOAD}> <${prefix}${libdir}>")
END
cat >"$work/program.c" <<'END'
#include <cowshim.h>
#include <stdio.h>
#include <string.h>
int main(void)
{
    char *copy = cowshim_dup("abc", 4);
    printf("%s %d\n", copy, cowshim_active());
    free(copy);
    return 0;
}
END
configure() { cmake -S "$work" -B "$work/$1" -Dcowshim_DIR="$folder" -DWANTED="$2" >"$work/log" 2>&1; }

configure build 0.1
is 'the package is found' 0 $? "$work/log"
is 'it says where the shim is, and keeps its variables to itself' "${folder%/cmake/cowshim}/cowshim/libcowshim.so> <>" \
    "$(sed -n 's/^-- <\(.*<.*\)/\1/p' "$work/log")" "$work/log"
cmake --build "$work/build" >"$work/log" 2>&1
is 'a program is built with it' 0 $? "$work/log"
is 'and runs without the shim' 'abc 0' "$("$work/build/program" 2>&1)"
is 'and with it' 'abc 1' "$(LD_PRELOAD=$COWSHIM_LIBRARY "$work/build/program" 2>&1)"
configure other 1.0
is 'a version that it is not is refused' 1 $? "$work/log"
end
