#!/bin/sh
# SPDX-License-Identifier: MIT
# TAP: libcowshim(7) and `cowshim run --help` describe every variable of src/base/config.def with its default and its
# choices, and the manual page describes no variable that there is not.
set -u

# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../tests/support/tap.sh"

table=${TOP_SRCDIR:-.}/src/base/config.def
page=${TOP_BUILDDIR:-.}/man/libcowshim.7
cowshim=${TOP_BUILDDIR:-.}/command/cowshim
help=$("$cowshim" run --help) || { echo 'Bail out! cowshim run --help fails'; exit 99; }
# One line per variable: name, default (or -), choices (or -). Comments of the table are no entries of it.
variables() {
    { tr '\n' ' ' <"$table"; echo; } | sed 's:/\*[^*]*\*/::g; s/OPTION(/\n&/g' |
        sed -n 's/^OPTION(\([A-Z]*\), *[a-z_]*, *"\([A-Z_]*\)", *"\([^"]*\)", *\([^"]*\)\("[^"]*"\)\{0,1\}.*/\1 \2 =\3 \5/p' |
        while read -r type name default choices; do
            [ "$type" = CHOICE ] || choices=
            choices=${choices#\"}
            echo "$name ${default#=}- ${choices%\"}-"
        done
}

# What the page says under the item of a variable.
section() {
    sed -n "/^\.It Ev $1\$/,/^\.It Ev\|^\.El/p" "$page" | sed 1d
}

list=$(mktemp) || exit 99
trap 'rm -f "$list"' EXIT
variables >"$list"
[ "$(wc -l <"$list")" -eq "$(grep -c '^OPTION(' "$table")" ] || { echo "Bail out! cannot read $table"; exit 99; }
while read -r name default choices; do
    option=--$(echo "${name#COWSHIM_}" | tr '[:upper:]_' '[:lower:]-')
    missing=
    echo "$help" | grep -q -e "^  $option\\b" || missing="$missing $option"
    echo "$help" | grep -q "\\b$name\\b" || missing="$missing $name"
    result "$name is in run --help" "$missing"
    text=$(section "$name")
    missing=
    [ -n "$text" ] || missing='the item'
    for word in "${default%-}" $(echo "${choices%-}" | tr '|' ' '); do
        echo "$text" | grep -q "^\.[A-Z].* $word\\( \\|\$\\)" || missing="$missing $word"
    done
    result "$name is in libcowshim(7), with its default and its choices" "${missing# }"
done <"$list"

unknown=
for name in $(grep -o 'COWSHIM_[A-Z_]*' "$page" | sort -u); do
    [ "$name" = COWSHIM_LIBRARY ] || grep -q "^$name " "$list" || unknown="$unknown $name"
done
result 'libcowshim(7) names no variable that the table does not have' "${unknown:+in the table:$unknown}"
end
