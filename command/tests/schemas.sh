#!/bin/sh
# SPDX-License-Identifier: MIT
# TAP: what the command says in JSON is what doc/schema says that it does.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../../tests/support/tap.sh"
needs_shim
for python in /usr/bin/python3 python3; do
    if "$python" -c 'import jsonschema' 2>/dev/null; then
        exec "$python" -B "$(dirname "$0")/schemas.py" "$@"
    fi
done
skip_all 'no Python with jsonschema (python3-jsonschema)'
