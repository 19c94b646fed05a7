#!/bin/sh
# SPDX-License-Identifier: MIT
# TAP: the packages of Debian, RPM and conda have what is installed, each file once, and are of the same version.
exec /usr/bin/python3 -B "$(dirname "$0")/packages.py" "$@"
