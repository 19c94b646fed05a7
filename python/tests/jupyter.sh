#!/bin/sh
# SPDX-License-Identifier: MIT
# TAP: the kernel that `cowshim jupyter install` makes.
exec /usr/bin/python3 -B "$(dirname "$0")/notebook.py" "$@"
