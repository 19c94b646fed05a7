#!/bin/sh
# SPDX-License-Identifier: MIT
# TAP: tools/wheel builds what pip installs in a fresh virtual environment, and that runs scripts under the shim there.
set -u

python=/usr/bin/python3
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../../tests/support/tap.sh"

needs_shim
$python -m venv "$work/venv" >"$work/log" 2>&1 || skip_all "$python makes no virtual environments (python3-venv)"
for name in $(env | sed -n 's/^\(COWSHIM_[A-Z_]*\)=.*/\1/p'); do
    [ "$name" = COWSHIM_LIBRARY ] || unset "$name"
done
unset PYTHONPATH LD_PRELOAD
library=$COWSHIM_LIBRARY
unset COWSHIM_LIBRARY
cd "$work" || exit 99

wheel=$("$python" -B "$TOP_SRCDIR/tools/wheel" -o "$work/one" --library "$library" 2>log)
is 'one file, its path is told' "$wheel" "$(ls -d "$work"/one/*)"
again=$("$python" -B "$TOP_SRCDIR/tools/wheel" -o "$work/two" --library "$library" 2>log)
cmp "$wheel" "$again" >log 2>&1
is 'the same from the same' 0 $?
venv/bin/pip install --no-index --disable-pip-version-check "$wheel" >log 2>&1
is 'pip installs it without the net' 0 $?
pwd=$(pwd -P)
is 'the library is the one of the wheel' "$pwd/venv/lib" \
    "$(venv/bin/python -m cowshim -c 'import os; print(os.environ["LD_PRELOAD"])' 2>log | sed 's:/python3.*/site-packages/cowshim/libcowshim.so$::')"
is 'import works without the shim' 'False None' "$(venv/bin/python -c 'import cowshim; print(cowshim.active(), cowshim.version())' 2>log)"
is 'and with it' 'True True' \
    "$(venv/bin/python -m cowshim -c 'import cowshim; print(cowshim.active(), cowshim.version() == cowshim.__version__)' 2>log)"
cat >copies.py <<'END'
import cowshim
source = bytearray(b"x") * (64 << 20)
kept = [source[:] for _ in range(8)]
kept[3][5] = 7
print(cowshim.stats().copies_shared, source[5], kept[3][5], kept[4][5])
END
is 'copies are shared there' '8 120 7 120' "$(venv/bin/python -m cowshim --policy=memory copies.py 2>log)"
is 'and nothing else was installed' 'cowshim pip setuptools' \
    "$(venv/bin/pip list --format=freeze --disable-pip-version-check 2>log | sed 's/=.*//' | grep -v '^wheel$' | sort | tr '\n' ' ' | sed 's/ $//')"
venv/bin/pip uninstall -y cowshim >log 2>&1
is 'and it goes without a trace' '' "$(find venv -path '*cowshim*' | grep -v __pycache__)"
end
