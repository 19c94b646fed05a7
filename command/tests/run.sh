#!/bin/sh
# SPDX-License-Identifier: MIT
# TAP: what `cowshim run` promises to the person who types it: exit codes, messages, the environment that the
# program gets.
set -u

build=${TOP_BUILDDIR:-$(pwd)}
cowshim=$build/command/cowshim
library=${COWSHIM_LIBRARY:-$build/src/.libs/libcowshim.so}
cc=${CC:-cc}
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../../tests/support/tap.sh"
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99

unset LD_PRELOAD
for variable in $(env | sed -n 's/^\(COWSHIM_[A-Z_]*\)=.*/\1/p'); do
    unset "$variable"
done
# Where the command is built with ASan and we give it an LD_PRELOAD to keep.
export ASAN_OPTIONS="verify_asan_link_order=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}"


# fail PROMISE WHAT-IS-WRONG
fail() {
    echo "$2; exit code $code, stdout and stderr:" | explain
    sed 's/^/# 1: /' out
    sed 's/^/# 2: /' err
    not_ok "$1"
}

run() {
    "$cowshim" "$@" >out 2>err
    code=$?
}

# The same with one variable set.
run_with() {
    assignment=$1
    shift
    env "$assignment" "$cowshim" "$@" >out 2>err
    code=$?
}

# expect NAME CODE [out|err PATTERN | no-out|no-err PATTERN]...: of what run() did last.
expect() {
    name=$1 wanted=$2
    shift 2
    [ "$code" -eq "$wanted" ] || { fail "$name" "wanted exit code $wanted"; return; }
    while [ $# -gt 0 ]; do
        if grep -q -e "$2" "${1#no-}"; then found=yes; else found=no; fi
        case $1,$found in
        no-*,yes) fail "$name" "not wanted in std${1#no-}: $2"; return ;;
        out,no | err,no) fail "$name" "wanted in std$1: $2"; return ;;
        esac
        shift 2
    done
    ok "$name"
}

# A sanitizer build has no shim; for all that is tested here any library does.
if [ ! -e "$library" ]; then
    library=$work/libcowshim.so
    echo 'int cowshim_stub;' >stub.c
    if ! $cc -shared -fPIC -o "$library" stub.c 2>/dev/null; then
        skip_all "no $library and no compiler"
    fi
fi
export COWSHIM_LIBRARY="$library"

### The command itself
run --help
expect '--help lists the commands' 0 out '^  run  *[a-z]' no-err .
run --version
expect '--version says name and version' 0 out '^cowshim [0-9][0-9.]*$' no-err .
run
expect 'no command is a usage error' 125 err 'no command' no-out .
run conjure
expect 'an unknown command is named' 125 err 'conjure is not a command' no-out .
run --conjure
expect 'an unknown option is named' 125 err '--conjure is not an option'
run help conjure
expect 'help of an unknown command' 125 err 'conjure is not a command'
run run --help
expect 'run --help names options, variables, bounds and exit codes' 0 out '--min-size SIZE' out 'COWSHIM_MIN_SIZE' \
    out '65536G, default 1M' out '--mode auto|registered|off' out '--stats\[=PATH\]' out '125' no-err .
cp out run-help
run help run
cmp -s out run-help && expect 'help run is run --help' 0 no-err . || fail 'help run is run --help' 'they differ'
long=$(for name in run try profile report stat map top jupyter doctor; do "$cowshim" $name --help; done | awk 'length > 80'; "$cowshim" --help | awk 'length > 80')
echo "$long" >out
expect 'no help is wider than 80 columns' 0 no-out .
if [ -w /dev/full ]; then
    "$cowshim" --help >/dev/full 2>err
    code=$?
    : >out
    expect 'help that could not be written is a failure' 125 err 'No space'
else
    skip 'help that could not be written is a failure' 'no /dev/full'
fi

### Which program, and its exit code
run run
expect 'run without a program' 125 err 'no program'
run run --conjure true
expect 'an unknown option of run is named' 125 err "'--conjure'" err 'cowshim run --help'
run run --mim-size=64K true
expect 'and the one that was likely meant' 125 err "'--mim-size' is not an option of cowshim run; did you mean --min-size?"
run stat --jsom
expect 'of every command' 125 err "'--jsom' is not an option of cowshim stat; did you mean --json?"
run run -x true
expect 'a letter that is no option' 125 err "'-x' is not an option of cowshim run"
run doctr
expect 'so for the command' 125 err 'doctr is not a command of cowshim; did you mean doctor?'
run run --mode
expect 'an option without its value is named' 125 err "'--mode'"
run run -- sh -c 'exit 7'
expect "the program's exit code is ours" 7 no-err .
run run -- sh -c 'kill -TERM $$'
expect "the program's signal is ours" 143
run run sh -c 'echo "$@"' name --mode bad --help --
expect "options after PROGRAM are PROGRAM's" 0 out '^--mode bad --help --$' no-err .
run run -- --mode
expect '-- ends our options' 127 err '--mode is not found in PATH'
run run cowshim-no-such-program
expect 'a program that is not in PATH' 127 err 'cowshim-no-such-program is not found in PATH'
run run ./no/such/program
expect 'a path that is not there' 127 err './no/such/program is not found$'
run run ''
expect 'a program without a name' 127 err 'without a name'
echo 'exit 5' >cowshim-script
run run ./cowshim-script
expect 'a file that is not executable' 126 err './cowshim-script cannot be run: Permission denied'
run_with PATH="$work:$PATH" run cowshim-script
expect 'a file in PATH that is not executable' 126 err 'cowshim-script cannot be run: Permission denied'
run run "$work"
expect 'a folder' 126 err 'cannot be run: Is a directory'
chmod +x cowshim-script
run run ./cowshim-script
expect 'a script without #! is run by the shell, as execvp() does it' 5 no-err .
run_with PATH="$work:$PATH" run cowshim-script
expect 'also from PATH' 5 no-err .
printf '#!/no/such/interpreter\n' >orphan
chmod +x orphan
run run ./orphan
expect 'a script whose interpreter is missing' 126 err './orphan cannot be run: its interpreter is not there'
printf '\177ELF\0\0\0\0' >broken
chmod +x broken
run run ./broken
expect 'a broken program is not fed to the shell' 126 err './broken cannot be run: Exec format error'

### LD_PRELOAD
run run printenv LD_PRELOAD
expect 'LD_PRELOAD is the library' 0 out "^$library\$" no-err .
run_with LD_PRELOAD='libm.so.6 libdl.so.2' run printenv LD_PRELOAD
expect 'what LD_PRELOAD held comes behind it' 0 out "^$library:libm.so.6:libdl.so.2\$"
run_with LD_PRELOAD="libm.so.6::$library" run printenv LD_PRELOAD
expect 'the library is there once, in front' 0 out "^$library:libm.so.6\$"
mkdir other
cp "$library" other/libcowshim.so
run_with LD_PRELOAD="$work/other/libcowshim.so" run printenv LD_PRELOAD
expect 'another build of it gives way' 0 out "^$library\$"

### Variables
run run --mode off --min-size=64K --log debug --huge off sh -c 'env | grep ^COWSHIM_ | sort | tr "\n" " "'
expect 'options set their variables' 0 \
    out 'COWSHIM_HUGE=off COWSHIM_LIBRARY=.* COWSHIM_LOG=debug COWSHIM_MIN_SIZE=64K COWSHIM_MODE=off'
run run --mode off printenv COWSHIM_MIN_SIZE
expect 'and only those' 1 no-out .
run_with COWSHIM_MODE=off run --huge off sh -c 'echo "$COWSHIM_MODE $COWSHIM_HUGE"'
expect 'the environment stays' 0 out '^off off$'
run_with COWSHIM_MODE=registered run --mode off printenv COWSHIM_MODE
expect 'options go before it' 0 out '^off$'
run run --stats --mode off printenv COWSHIM_STATS
expect '--stats alone is stderr' 0 out '^stderr$'
run run --stats=summary --mode off sh -c 'cd / && printenv COWSHIM_STATS'
expect '--stats=FILE is the file here, wherever the program goes' 0 out "^$work/summary\$"

### Bad values
run run --mode=sometimes true
expect 'a bad choice: option, value, what is accepted' 125 \
    err 'error: --mode=sometimes: accepted are auto, registered or off$' no-out .
run run --mode= true
expect 'an empty choice' 125 err '--mode=: accepted are auto'
run run --min-size 12 true
expect 'a size below the bound' 125 err '--min-size=12: accepted are sizes from [0-9]*K to 65536G'
run run --min-size 99999999999999999999 true
expect 'a size above the bound' 125 err '--min-size=99999999999999999999: accepted'
run run --min-size 12parsecs true
expect 'no size at all' 125 err '--min-size=12parsecs: accepted'
run run --log=loud true
expect 'a bad log level' 125 err '--log=loud: accepted are error, warn, info or debug$'
run run --stats=/no/such/folder/file true
expect 'a summary that cannot be written' 125 err '--stats=/no/such/folder/file: .*No such file'

### Finding the library
run_with COWSHIM_LIBRARY="$work/none.so" run true
expect 'COWSHIM_LIBRARY that is not there' 127 err "COWSHIM_LIBRARY=$work/none.so: No such file"
mkdir alone && cp "$library" alone/
run_with COWSHIM_LIBRARY="$work/alone/${library##*/}" profile true
expect 'profile without its library' 127 err 'libcowshim-profile.so is not found beside .*: it is in the package cowshim-tools'
run_with COWSHIM_LIBRARY="$work/run-help" run true
expect 'COWSHIM_LIBRARY that is no library' 126 err 'run-help is not a shared library'
mkdir 'a folder'
cp "$library" 'a folder/libcowshim.so'
run_with COWSHIM_LIBRARY="$work/a folder/libcowshim.so" run true
expect 'a path that LD_PRELOAD cannot hold: what to do' 126 err 'space or a colon; make a symbolic link'
ln -s 'a folder/libcowshim.so' link.so
run_with COWSHIM_LIBRARY=link.so run printenv LD_PRELOAD
expect 'a link is a way around; a relative path becomes absolute' 0 out "^$work/link.so\$"
unset COWSHIM_LIBRARY
if [ -e "$build/src/.libs/libcowshim.so" ]; then
    run run printenv LD_PRELOAD
    expect 'the build tree is used from the build tree' 0 out "^$build/src/.libs/libcowshim.so\$"
else
    skip 'the build tree is used from the build tree' 'a sanitizer build has no shim'
fi
mkdir -p prefix/bin
cp "$cowshim" prefix/bin/cowshim
cowshim=$work/prefix/bin/cowshim
run run true
if [ "$code" -eq 0 ]; then
    skip 'without a library all places are named' 'it is installed on this machine'
    skip 'a prefix that was moved elsewhere' 'it is installed on this machine'
else
    expect 'without a library all places are named' 127 err 'looked at:' err "^    /.*/cowshim/libcowshim.so\$" \
        err "^    $work/prefix/lib/cowshim/libcowshim.so\$" err 'COWSHIM_LIBRARY' no-err '/src/'
    mkdir -p prefix/lib/cowshim
    cp "$library" prefix/lib/cowshim
    run run printenv LD_PRELOAD
    expect 'a prefix that was moved elsewhere' 0 out "^$work/prefix/lib/cowshim/libcowshim.so\$"
fi
run stat 1
expect 'without the tools it says what is missing' 127 err "cowshim stat is in the program cowshim-tools, which is not installed here ($work/prefix/bin/cowshim-tools)"
run run --report report.html true
expect 'a report is made by the tools' 127 err 'cowshim profile is in the program cowshim-tools'
run help doctor
expect 'and so is their help' 127 err 'cowshim doctor is in the program cowshim-tools'
cowshim=$build/command/cowshim
export COWSHIM_LIBRARY="$library"

if [ -e "$library" ]; then
    is 'the command itself needs nothing but libc' '' "$(objdump -p "$cowshim" | sed -n 's/^ *NEEDED *//p' | grep -v '^libc\.so\|^ld-linux')"
fi

### Programs in which the shim will not be active: one line, and they run
one_warning() {
    [ "$(grep -c '^cowshim: warn: ' err)" -eq 1 ] && expect "$@" || fail "$1" 'wanted one warning'
}
echo 'int main(void) { return 9; }' >nine.c
if $cc -static -o static nine.c 2>/dev/null; then
    run run ./static
    one_warning 'a static program' 9 err 'warn: ./static is statically linked: the shim will not be active in it'
    printf '#!%s/static\n' "$work" >cowshim-script
    run run ./cowshim-script
    one_warning 'a script whose interpreter is one' 9 err "warn: $work/static is statically linked"
    printf '#!/usr/bin/env -S A=1 ./static\n' >cowshim-script
    run run ./cowshim-script
    one_warning 'also behind env' 9 err 'warn: ./static is statically linked'
    run run --log=error ./static
    expect '--log=error says nothing of it' 9 no-err .
else
    skip 'a static program' 'cc -static does not work here'
fi
if $cc -static-pie -o static-pie nine.c 2>/dev/null; then
    run run ./static-pie
    one_warning 'a static program at a random address' 9 err 'warn: ./static-pie is statically linked'
else
    skip 'a static program at a random address' 'cc -static-pie does not work here'
fi
if $cc -fsanitize=address -o asan nine.c 2>/dev/null && ASAN_OPTIONS='' ./asan; [ $? -eq 9 ]; then
    run_with ASAN_OPTIONS='' run ./asan
    one_warning 'a program built with ASan runs as it would without us' 9 err 'is built with AddressSanitizer'
else
    skip 'a program built with ASan' 'cc -fsanitize=address does not work here'
fi
run_with LD_PRELOAD=/no/such/libasan.so.8 run printenv LD_PRELOAD
grep -v '^ERROR: ld.so' err >kept
mv kept err
one_warning 'a sanitizer in LD_PRELOAD stays alone' 0 out '^/no/such/libasan.so.8$' err 'must come first'
if $cc -o musl nine.c -Wl,--dynamic-linker=/no/such/ld-musl-x86_64.so.1 2>/dev/null; then
    run run ./musl
    one_warning 'a program built for musl' 126 err 'is built for musl'
else
    skip 'a program built for musl' 'no compiler'
fi
if [ "$(id -u)" -eq 0 ] && cp /bin/true setuid && chown 65534 setuid && chmod 4755 setuid; then
    run run ./setuid
    one_warning 'a setuid program' 0 err 'warn: ./setuid is setuid: the shim will not be active in it'
    chown 0 setuid && chmod 4755 setuid
    run run ./setuid
    expect 'which is no privilege for its own user' 0 no-err .
else
    skip 'a setuid program' 'only root can make one'
fi
# EM_S390 in e_machine: nobody runs the tests there.
{ head -c 18 /bin/true; printf '\026\000'; tail -c +21 /bin/true; } >foreign
chmod +x foreign
run run ./foreign
one_warning 'a program for another machine' "$code" err 'warn: ./foreign is a 64-bit s390 program and the shim is '
for starter in sudo ssh docker; do
    mkdir -p starters
    cp /bin/true "starters/$starter"
    run run "./starters/$starter" python3
    one_warning "a program that starts another elsewhere: $starter" 0 err "warn: ./starters/$starter .*without the shim: put \`cowshim run\` "
done
run run true
expect 'an ordinary program: no warning' 0 no-err .

### Variables that do nothing
if [ -e "$build/src/.libs/libcowshim.so" ]; then
    run_with COWSHIM_POLCY=memory run true
    one_warning 'a mistyped variable is named, with the right one' 0 err 'no variable COWSHIM_POLCY; did you mean COWSHIM_POLICY?'
    run_with COWSHIM_PURPOSE=memory run true
    one_warning 'an unknown one, too' 0 err 'no variable COWSHIM_PURPOSE: it does nothing'
    run_with COWSHIM_PURPOSE=memory run --log=error true
    expect '--log=error hushes that' 0 no-err .
else
    skip 'a mistyped variable is named' 'a sanitizer build has no shim'
fi

end
