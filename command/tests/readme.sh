#!/bin/sh
# SPDX-License-Identifier: MIT
# TAP: README's own code blocks: every command of them that cowshim or its module has runs as it stands there, every file is there.
set -u

readme=$TOP_SRCDIR/README.md
library=$COWSHIM_LIBRARY
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../../tests/support/tap.sh"

# code PROMISE WANTED GOT: of an exit code; the log says more.
code() { is "$1" "exit code $2" "exit code $3" "$work/log"; }

needs_shim
# Lines of blocks, without what is said behind two spaces and a #.
sed -n 's/^    \([a-zA-Z].*\)/\1/p' "$readme" | sed 's/  *#.*//' >"$work/lines"
mkdir "$work/bin"
ln -s "$TOP_BUILDDIR/command/cowshim" "$work/bin/cowshim"
# Where a program of theirs is named, any will do: it has to get its own arguments.
printf '#!/bin/sh\nexec test "$1" = job.m\n' >"$work/bin/octave"
chmod +x "$work/bin/octave"
cd "$work" || exit 99
echo 'import sys; sys.exit(len(sys.argv) - 1)' >model.py
COWSHIM_LIBRARY=$library ./bin/cowshim run -- python3 -c "import time
source = bytearray(8 << 20)
copy = source[:]
print('ready', flush=True)
time.sleep(120)" >ready &
shimmed=$!
trap 'kill $shimmed 2>/dev/null; rm -rf "$work"' EXIT
while [ ! -s ready ] && kill -0 $shimmed 2>/dev/null; do sleep 0.2; done
while read -r line; do
    case $line in
    'cowshim run '* | 'cowshim try '* | 'cowshim doctor' | 'python3 -m cowshim '* | LD_PRELOAD=*)
        command=$(echo "$line" | sed "s:/usr/local/lib/cowshim/libcowshim.so:$library:")
        PATH="$work/bin:$PATH" PYTHONPATH="$TOP_SRCDIR/python" PYTHONDONTWRITEBYTECODE=1 TMPDIR="$work" sh -c "$command" >log 2>&1 </dev/null
        code "$line" 0 $?
        grep -v 'cowshim-octave' log | grep -q 'cannot be preloaded' && code "$line: the library is loaded" 0 1
        ;;
    'cowshim stat '*)
        PATH="$work/bin:$PATH" sh -c "$(echo "$line" | sed "s/PID/$shimmed/")" >log 2>&1 </dev/null
        code "$line" 0 $?
        ;;
    tools/*)
        test -x "$TOP_SRCDIR/${line%% *}" 2>log
        code "$line is there" 0 $?
        ;;
    native* | with*) ;;
    *)
        echo "$line" >log
        code "a line that this test does not know: $line" 0 1
        ;;
    esac
done <lines
grep -o '](\([a-z./]*\))' "$readme" | tr -d ']()' | sort -u >links
while read -r path; do
    test -e "$TOP_SRCDIR/$path" 2>log
    code "$path is there" 0 $?
done <links
[ "$tap_count" -ge 12 ]
code 'README has commands' 0 $?
end
