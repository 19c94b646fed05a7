#!/bin/sh
# doc/calls.md says of every system call that the kernel's headers name how it is met, and those that are met are.
: "${TOP_SRCDIR:=.}"
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
failed=0

tell() {
    if [ -s "$work/missing" ]; then
        sed 's/^/# /' "$work/missing"
        echo "not ok $1"
        failed=1
    else
        echo "ok $1"
    fi
}

echo 1..2
grep -o '`[a-z0-9_]*`' "$TOP_SRCDIR/doc/calls.md" | tr -d '`' | sort -u >"$work/told"
echo '#include <sys/syscall.h>' | ${CC:-cc} -E -dM -x c - | sed -nE 's/^#define __NR_([a-z0-9_]+) .*/\1/p' | sort -u >"$work/calls"
if [ ! -s "$work/calls" ]; then
    echo "ok 1 - every system call is in doc/calls.md # SKIP no compiler that tells them"
else
    comm -13 "$work/told" "$work/calls" >"$work/missing"
    tell "1 - every system call is in doc/calls.md"
fi

# Of the memory calls that are met: by number.
for call in madvise process_madvise mprotect pkey_mprotect mseal mbind set_mempolicy_home_node set_mempolicy munmap mmap mremap shmat \
    mlock mlock2 mlockall munlockall userfaultfd ioctl io_uring_setup io_setup; do
    grep -q "case SYS_$call:" "$TOP_SRCDIR/src/shim/memory_calls.c" || echo "$call"
done >"$work/missing"
tell "2 - those that change memory are met by number, too"
exit $failed
