#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the stories of profile.py with the Python that has NumPy.
if [ ! -e "$COWSHIM_LIBRARY" ]; then
    echo "1..0 # SKIP no $COWSHIM_LIBRARY: a sanitizer build has no shim"
    exit 0
fi
for python in /usr/bin/python3 python3; do
    if "$python" -c 'import numpy' 2>/dev/null; then
        exec "$python" -B "$(dirname "$0")/profile.py" "$@"
    fi
done
echo '1..0 # SKIP no Python with NumPy'
