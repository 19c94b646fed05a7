#!/bin/sh
# SPDX-License-Identifier: MIT
# The first process of a guest of tools/kernels: sets what a scene says (tests/kernels/scenes), looks what `cowshim doctor` makes of it,
# runs the scene's tests as its user, puts everything back, takes the next one, and powers off. What it prints goes to the serial line:
# TAP, and before the tests of a scene a line "scene NAME USER TIER GUARD SECONDS", behind them "end NAME SECONDS".
export PATH=/usr/bin:/usr/sbin HOME=/tmp LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
export TEST_PATIENCE=5 # no processor, but a program that plays one
export TOP_SRCDIR=/cowshim TOP_BUILDDIR=/cowshim/build COWSHIM_LIBRARY=/cowshim/build/src/.libs/libcowshim.so
tests=/cowshim/tests
# shellcheck source=tests/support/tap.sh
. $tests/support/tap.sh

mount_all() {
    mount -t proc proc /proc
    mount -t sysfs sys /sys
    mount -t devtmpfs dev /dev
    mkdir -p /dev/shm /dev/pts
    mount -t devpts pts /dev/pts
    mount -t tmpfs -o mode=1777 shm /dev/shm
    mount -t tmpfs -o mode=1777 tmp /tmp
    mount -t tmpfs run /run
    mount -t cgroup2 group /sys/fs/cgroup
}

# set_up WORDS: "file=value" each, what cannot be set to $missing; in $before is how to undo it, last one first.
set_up() {
    for word in $(echo "$1" | tr , ' '); do
        value=${word#*=}
        case $word in
        swap=*) swap_on "$value" ;;
        group=*) group_make "$value" ;;
        thp=*) set_file /sys/kernel/mm/transparent_hugepage/enabled "$value" ;;
        shmem=*) set_file /sys/kernel/mm/transparent_hugepage/shmem_enabled "$value" ;;
        *) set_file "/proc/sys/${word%%=*}" "$value" ;;
        esac || missing="$missing ${word%%=*}"
    done 2>/dev/null
}

# Of a choice the file marks the word that holds.
set_file() {
    old=$(sed 's/.*\[\(.*\)\].*/\1/' "$1") && echo "$2" >"$1" && before="echo $old >$1; $before"
}

# Compressed memory as swap: some kernels have all modules that it needs built in, others some.
swap_on() {
    for module in /modules/*; do insmod "$module"; done
    echo "$1" >/sys/block/zram0/disksize && mkswap /dev/zram0 >/dev/null && swapon /dev/zram0 &&
        before="swapoff /dev/zram0; echo 1 >/sys/block/zram0/reset; $before"
}

# The tests and doctor run in it: more than it holds goes to swap.
group_make() {
    echo +memory >/sys/fs/cgroup/cgroup.subtree_control
    mkdir /sys/fs/cgroup/tests && echo "$1" >/sys/fs/cgroup/tests/memory.max && group=/sys/fs/cgroup/tests &&
        before="rmdir $group; group=''; $before"
}

# as USER COMMAND...: in the group, if there is one.
as() {
    user=$1
    shift
    # shellcheck disable=SC2016 # that shell's own
    sh -c '[ -z "$1" ] || echo $$ >"$1/cgroup.procs"; shift; exec "$@"' sh "$group" \
        setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups "$@"
}

# What doctor names a tier and a guard.
tier() {
    case $(grep ' pages  ' /tmp/doctor) in
    *'PAGEMAP_SCAN tells'*) echo scan ;;
    *'/proc/self/pagemap is read'*) echo pagemap ;;
    *) echo none ;;
    esac
}

guard() {
    case $(grep ' other threads  ' /tmp/doctor) in
    *'userfaultfd holds off'*) echo userfaultfd ;;
    *'mprotect and a SIGSEGV'*) echo mprotect ;;
    *) echo none ;;
    esac
}

# finding NAME VERDICT: doctor says so of it, and how it is mended where it is not ok.
finding() {
    about=$(echo "$1" | tr . ' ')
    said=$(sed -n "/^[a-z]* *$1  /,/^[a-z]/p" /tmp/doctor) # to the next finding's first line
    case $2:$said in
    ok:ok* | "$2:$2"*'-> '*) ok "doctor says $2 of $about" ;;
    *) not_ok "doctor says $2 of $about, and a remedy" "$said" ;;
    esac
}

# test_one KIND USER SHARING WORD...
test_one() {
    kind=$1 user=$2 sharing=$3
    shift 3
    case $kind in
    session) as "$user" timeout 300 env LD_PRELOAD=$COWSHIM_LIBRARY python3 $tests/kernels/session.py "$1" "$2" "$sharing" ;;
    container) as "$user" timeout 300 env COWSHIM_POLICY=memory LD_PRELOAD=$COWSHIM_LIBRARY $TOP_BUILDDIR/tests/preload/confine profile="$1" -- \
        /usr/bin/python3 $tests/kernels/session.py "$2" "$3" "$sharing" ;;
    unit) as "$user" timeout 900 $TOP_BUILDDIR/tests/unit/"$1" ;;
    stories) as "$user" $tests/preload/run.sh "$@" ;;
    model) as "$user" env JOBS=2 SLICE="$1" $tests/model/model.sh "$2" ;;
    esac
}

# What ends badly and says nothing of it is a failure as well.
run() {
    test_one "$@" >/tmp/said 2>&1
    status=$?
    cat /tmp/said
    [ $status -eq 0 ] || grep -q '^not ok' /tmp/said || not_ok "$* ended with status $status"
}

seconds() { cut -d . -f 1 /proc/uptime; }

# scene NAME MACHINE USER SETTINGS FINDINGS SHARING TEST...
scene() {
    name=$1 user=$3 settings=$4 findings=$5 expected=$6 before='' missing='' group='' began=$(seconds)
    shift 6
    [ "$settings" = - ] || set_up "$settings"
    as "$user" timeout 100 /cowshim/build/command/cowshim doctor >/tmp/doctor 2>&1
    echo "scene $name $user $(tier) $(guard) $began"
    explain /tmp/doctor
    if [ -n "$missing" ]; then
        skip "$name" "this kernel has no$missing"
    else
        for item in $(echo "$findings" | tr , ' '); do
            [ "$item" = - ] || finding "${item%:*}" "${item#*:}"
        done
        for work; do
            echo "# after $(seconds) seconds: $work"
            # shellcheck disable=SC2046 # words of the table
            run "${work%%:*}" "$user" "$expected" $(echo "${work#*:}" | tr : ' ')
        done
    fi
    eval "$before"
    echo "end $name $(seconds)"
}

mount_all
exec </dev/null >/dev/ttyS0 2>&1
stty -F /dev/ttyS0 -opost 2>/dev/null
echo "kernel $(uname -r)"
for wanted in $(sed -n 's/.*cowshim\.scenes=\([^ ]*\).*/\1/p' /proc/cmdline | tr , ' '); do
    # shellcheck disable=SC2046 # the table is ours: its words are the arguments
    scene $(grep "^$wanted " $tests/kernels/scenes)
done
echo o >/proc/sysrq-trigger
sleep 60
