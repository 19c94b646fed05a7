#!/bin/sh
# SPDX-License-Identifier: MIT
# TAP: what the command says in JSON is what doc/schema says that it does.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../../tests/support/tap.sh"
needs_shim
exec_python jsonschema 'jsonschema (python3-jsonschema)' "$(dirname "$0")/schemas.py" "$@"
