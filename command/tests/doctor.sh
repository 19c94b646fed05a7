#!/bin/sh
# SPDX-License-Identifier: MIT
# TAP: `cowshim doctor` names what is missing and the remedy, with each feature taken away by what really takes it away.
set -u

cowshim=$TOP_BUILDDIR/command/cowshim
without=$TOP_BUILDDIR/command/tests/without
confine=$TOP_BUILDDIR/tests/preload/confine
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../../tests/support/tap.sh"
for variable in $(env | sed -n 's/^\(COWSHIM_[A-Z_]*\)=.*/\1/p'); do
    unset "$variable"
done

# expect NAME CODE PATTERN...: of "$said" and $code.
expect() {
    name=$1 wanted=$2
    shift 2
    problem=
    [ "$code" -eq "$wanted" ] || problem="exit code $code, not $wanted"
    ! echo "$lines" | tr -d '\r' | grep -v '^ *"\|\[K' | grep -qE '^.{80}' || problem='a line of more than 79 columns'
    for pattern in "$@"; do
        echo "$said" | grep -q -e "$pattern" || problem="${problem:-no line like: $pattern}"
    done
    result "$name" "${problem:+$problem
$said}"
}

# refuse NAME PATTERN...: "$said" has no such line.
refuse() {
    name=$1 problem=
    shift
    for pattern in "$@"; do
        ! echo "$said" | grep -q -e "$pattern" || problem="a line like: $pattern"
    done
    result "$name" "${problem:+$problem
$said}"
}

# What was found may take several lines: here it is in one again.
join() {
    awk 'substr($0, 1, 26) ~ /^ +$/ && !/^ *->/ { sub(/^ */, " "); printf "%s", $0; next } { printf "%s%s", NR == 1 ? "" : "\n", $0 } END { print "" }'
}

doctor() {
    lines=$("$@" 2>&1)
    code=$?
    said=$(echo "$lines" | join)
}

doctor "$cowshim" doctor
expect 'a machine on which the tests run can share copies' 0 '^[a-z]* *small store .*measured' '^ok *exported page'
usual=$said
expect 'it says what programs on accelerators get' 0 '^ok *devices .*share.* no '
expect 'the plain copy has a speed' 0 '^ok *plain copy .* [1-9][0-9.]* [KMG]iB/s (measured)'
if command -v script >/dev/null; then
    doctor script -qec "'$cowshim' doctor" /dev/null
    expect 'on a terminal it says what it is at' 0 'writing a store of 64 MiB.*\.\.\.' 'copying 64 MiB plainly'
else
    skip 'on a terminal it says what it is at' 'no script(1)'
fi
doctor "$cowshim" doctor --json
expect 'JSON has a verdict and measured speeds' 0 '"verdict": *"' '"seal_bytes_per_second": *[1-9]' '"remedy": *null'
doctor "$cowshim" doctor extra
expect 'arguments are an error' 125 'takes no arguments'

if "$without" memfd_create true; then
    doctor "$without" memfd_create "$cowshim" doctor
    expect 'without memfd_create: no store' 1 '^missing *small store' '-> .*memfd_create' '^degraded *exported page' 'stay plain here'
    doctor "$without" userfaultfd "$cowshim" doctor
    expect 'without userfaultfd: the other guard' 0 '^degraded *other threads .*mprotect' '-> .*userfaultfd()'
    doctor "$without" ftruncate "$cowshim" doctor
    expect 'without ftruncate: no store' 1 '^missing *small store'
    doctor "$without" ioctl "$cowshim" doctor
    expect 'without ioctl: pages are read one by one' 0 '^degraded *pages .*pagemap' '^degraded *mappings'
    if echo "$usual" | grep -q '^ok *huge store'; then
        doctor "$without" newuser "$cowshim" doctor
        expect 'without user namespaces: no huge store' 0 '^degraded *huge store .*user namespace' '-> .*user'
        doctor "$without" fsopen "$cowshim" doctor
        expect 'without fsopen: no huge store' 0 '^degraded *huge store'
    else
        skip 'without user namespaces, fsopen' 'there is no huge store here anyway'
    fi
    expect 'a filter is told of' 0 'a filter of system calls is at work'
    doctor "$confine" profile=docker -- "$cowshim" doctor
    expect "Docker's filter: copies are shared, and what it forbids is named" 0 '^degraded *other threads .*mprotect' \
        '^degraded *huge store ' '^ok *small store' '-> .*seccomp profile that allows userfaultfd()' 'Large copies are shared here'
    doctor env COWSHIM_INTERNAL=pagemap-off "$confine" profile=gvisor -- "$cowshim" doctor
    expect 'as under gVisor: copies stay plain, for want of pagemap' 1 '^missing *pages .*/proc/self/pagemap' '-> mount /proc' 'stay plain here'
else
    skip 'with calls taken away' 'seccomp filters are not allowed here'
fi

limited() {
    lines=$(ulimit "$1" "$2" && "$cowshim" doctor 2>&1)
    code=$?
    said=$(echo "$lines" | join)
}
# The kernel is not blamed: as root we can look at it all the same, and else it is not judged.
limited -n 40
expect 'few descriptors: none are taken' 1 '^missing *descriptors.* 40' '-> ulimit -n'
refuse 'few descriptors: the kernel is not blamed' '-> Linux' '-> mount' 'Too many open files' '^missing *[a-ce-z]'
if command -v setpriv >/dev/null && [ "$(id -u)" -eq 0 ]; then
    lines=$(ulimit -n 50 && setpriv --reuid=65534 --clear-groups --bounding-set=-all --inh-caps=-all "$cowshim" doctor 2>&1)
    code=$?
    said=$(echo "$lines" | join)
    expect 'few descriptors, and no right to more' 1 '^missing *descriptors.* 50' '^ok *kernel, stores *not looked at'
    refuse 'few descriptors, and no right to more: the kernel is not blamed' '-> Linux' '-> mount' 'Too many open files'
else
    skip 'few descriptors, and no right to more' 'we are not root, or have no setpriv'
fi
limited -n 200
expect 'not many descriptors' 0 '^degraded *descriptors .*200'
limited -f 1000
expect 'a limit on files is one on stores' 1 '^degraded *file size' '^missing *small store' '-> ulimit -f unlimited'
case $(sed -n 's/^SANITIZER_FLAGS = *//p' "$TOP_BUILDDIR/Makefile") in
'')
    limited -v 4000000
    expect 'a limit on the address space' 0 '^degraded *address space .*3.81 GiB'
    ;;
*) skip 'a limit on the address space' 'the sanitizer takes more than that' ;;
esac
doctor env COWSHIM_HUGE=off "$cowshim" doctor
expect 'what is switched off is named' 0 '^degraded *huge store .*switched off' '-> unset COWSHIM_HUGE'
end
