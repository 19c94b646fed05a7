#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the stories of profile.py with the Python that has NumPy.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../../tests/support/tap.sh"
needs_shim
exec_python numpy 'NumPy' "$(dirname "$0")/profile.py" "$@"
