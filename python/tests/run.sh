#!/bin/sh
# SPDX-License-Identifier: MIT
# TAP: the Python module's ways to start programs.
exec python3 -B "$(dirname "$0")/launch.py" "$@"
