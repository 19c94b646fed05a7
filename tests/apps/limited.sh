#!/bin/sh
# SPDX-License-Identifier: MIT
# TAP: under a limit of 600 MiB ten kept copies of 153 MiB kill a program natively and not under the shim (limited.py).
name='ten copies of 153 MiB live under a limit of 600 MiB, where natively they die'
if [ ! -e "$COWSHIM_LIBRARY" ]; then
    echo "1..0 # SKIP no $COWSHIM_LIBRARY: a sanitizer build has no shim"
    exit 0
fi
if ! /usr/bin/python3 -c 'import numpy' 2>/dev/null; then
    echo '1..0 # SKIP no NumPy'
    exit 0
fi
said=$(COWSHIM_LIB=$COWSHIM_LIBRARY /usr/bin/python3 -B "$(dirname "$0")/limited.py" 2>&1)
case $? in
0) echo "ok 1 - $name" ;;
77) echo "ok 1 - $name # SKIP neither root nor systemd-run --user can set a limit" ;;
*) echo "not ok 1 - $name" ;;
esac
echo "$said" | sed 's/^/# /'
echo 1..1
