#!/bin/sh
# SPDX-License-Identifier: MIT
# TAP: under a limit of 600 MiB ten kept copies of 153 MiB kill a program natively and not under the shim (limited.py).
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../../tests/support/tap.sh"
name='ten copies of 153 MiB live under a limit of 600 MiB, where natively they die'
needs_shim
/usr/bin/python3 -c 'import numpy' 2>/dev/null || skip_all 'no NumPy'
said=$(COWSHIM_LIB=$COWSHIM_LIBRARY /usr/bin/python3 -B "$(dirname "$0")/limited.py" 2>&1)
case $? in
0) ok "$name" ;;
77) skip "$name" 'neither root nor systemd-run --user can set a limit' ;;
*) not_ok "$name" ;;
esac
echo "$said" | explain
end
