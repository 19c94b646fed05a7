#!/bin/sh
# SPDX-License-Identifier: MIT
# root.sh BUILD ARCHIVE: packs what a guest of tools/kernels needs, as the archive that a kernel unpacks into its memory: no disk, no
# driver, no root rights. In it are the tests and what was built, at /cowshim, and of this system the programs that tests call,
# NumPy as far as the session loads it, and their libraries.
set -eu
source=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd)
archive=$2
root=$(mktemp -d)
chmod 755 "$root"
trap 'rm -rf "$root"' EXIT
# shellcheck source=tests/support/find_library.sh
. "$source/tests/support/find_library.sh"

programs='awk cat chmod chown cmp comm cp cut date dd diff dirname basename env expr find getconf grep head id insmod kill ln ls mkdir mkfifo mkswap
    mktemp mount mv nice nm nproc od printf prlimit ps python3 readlink rm rmdir sed seq setarch setpriv sh sleep sort stat stty swapoff swapon
    sync tail tee timeout touch tr true false umount uname uniq unshare wc xargs'
preloaded='libjemalloc.so.2 libmimalloc.so.2 libeatmydata.so'

list_programs() {
    for program in $programs; do
        for folder in /usr/bin /usr/sbin /bin /sbin; do
            [ ! -x $folder/"$program" ] || { echo $folder/"$program"; break; }
        done
    done
    for library in $preloaded; do find_library "$library"; done
}

# What Python has loaded when the session could begin.
list_python() {
    /usr/bin/python3 -B - <<'END' | while read -r file; do [ ! -e "$file" ] || echo "$file"; done
import ast, ctypes, os, sys, threading, time, zlib
import numpy
for module in list(sys.modules.values()):
    for path in (getattr(module, "__file__", None), getattr(module, "__cached__", None)):
        if path:
            print(path)
END
}

# The build as it lies, less objects.
list_build() {
    (cd "$build" && find src/.libs/libcowshim.so command/cowshim command/cowshim-tools tests/unit tests/preload tests/model -type f -perm -u+x ! -name '*.la')
}

# The tests and the tables that they read.
list_tests() {
    (cd "$source" && find tests/unit tests/preload tests/model tests/kernels tests/support tests/apps/article.py tests/apps/article_more.py \
        tests/apps/memory.py src/base/hooks.def src/kernel/fallbacks.def src/shim/libcowshim.map -type f ! -name '*.c' ! -name '*.h')
}

# What the files of a list are linked to; asking the loader itself spares ldd's many processes.
list_libraries() {
    loader=$(ldd /bin/sh | awk '/^\t\/.*ld/ { print $1 }')
    echo "$loader"
    grep -v '\.pyc*$' | while read -r file; do "$loader" --list "$file" 2>/dev/null; done | awk '/=> \// { print $3 }' | sort -u
}

# copy FOLDER TO: the files of a list, relative to the folder, links as what they lead to.
copy() { (cd "$1" && sed 's|^/||' | cpio -pdmuL --quiet "$2"); }

mkdir -p "$root/cowshim/build" "$root/etc" "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" "$root/usr/lib64"
for folder in proc sys dev tmp run; do mkdir "$root/$folder"; done
for folder in bin sbin lib lib64; do ln -s usr/$folder "$root/$folder"; done
printf 'root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
{ list_programs; list_python; } >"$root/list"
list_build | sed "s|^|$build/|" | cat - "$root/list" | list_libraries | sort -u - "$root/list" | copy / "$root"
rm "$root/list"
list_build | copy "$build" "$root/cowshim/build"
list_tests | copy "$source" "$root/cowshim"
cp "$source/tests/kernels/guest.sh" "$root/init"
(cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet) >"$archive"
