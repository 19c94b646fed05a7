#!/bin/sh
# doc/calls.md says of every system call that the kernel's headers name how it is met, and those that are met are: TAP.
: "${TOP_SRCDIR:=.}"
# shellcheck source=tests/support/tap.sh
. "$TOP_SRCDIR/tests/support/tap.sh"
take_work

promise='every system call is in doc/calls.md'
grep -o '`[a-z0-9_]*`' "$TOP_SRCDIR/doc/calls.md" | tr -d '`' | sort -u >"$work/told"
echo '#include <sys/syscall.h>' | ${CC:-cc} -E -dM -x c - | sed -nE 's/^#define __NR_([a-z0-9_]+) .*/\1/p' | sort -u >"$work/calls"
if [ -s "$work/calls" ]; then
    result "$promise" "$(comm -13 "$work/told" "$work/calls")"
else
    skip "$promise" 'no compiler that tells them'
fi

not_met_by_number() {
    for call in madvise process_madvise mprotect pkey_mprotect mseal mbind set_mempolicy_home_node set_mempolicy munmap mmap mremap shmat \
        mlock mlock2 mlockall munlockall userfaultfd ioctl io_uring_setup io_setup; do
        grep -q "case SYS_$call:" "$TOP_SRCDIR/src/shim/memory_calls.c" || echo "$call"
    done
}

result 'the memory calls that are met are met by number, too' "$(not_met_by_number)"
end
