#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the stories of profile.py with the Python that has NumPy.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../../tests/support/tap.sh"
needs_shim
for python in /usr/bin/python3 python3; do
    if "$python" -c 'import numpy' 2>/dev/null; then
        exec "$python" -B "$(dirname "$0")/profile.py" "$@"
    fi
done
skip_all 'no Python with NumPy'
