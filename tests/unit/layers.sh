#!/bin/sh
# The layers of the source: TAP. Needs only the tree; the object files where they are plain ones.
src=${TOP_SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}/src
objects=${TOP_BUILDDIR:-.}/src
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../../tests/support/tap.sh"

# Includes of a room that name a room above it. Rooms, lowest first: base kernel engine shim.
upward() {
    grep -rnE "^ *# *include *\"($2)/" "$src/$1" --include='*.[ch]' --include='*.def'
}

without_poison() {
    find "$src/base" "$src/kernel" "$src/engine" -name '*.c' | while read -r file; do
        [ "$file" = "$src/base/next.c" ] ||
            [ "$(grep -E '^ *# *include .*\.h[">]' "$file" | tail -n 1)" = '#include "base/poison.h"' ] || echo "$file"
    done
}

# Interposed names that the plain engine calls: only next.c may have them, through its table and not by name.
forbidden=$(sed -nE 's/^INTERPOSE(_REST)?\(([A-Za-z0-9_]+), .*/\2/p' "$src/base/hooks.def" | paste -sd '|')

undefined() {
    nm -A --undefined-only "$objects/.libs/libengine.a" |
        grep -E " U ($forbidden)(@.*)?\$"
}

long_files() {
    find "$src" -name '*.[ch]' -exec wc -l {} + | awk '$2 != "total" && $1 > 400'
}

# clang-format breaks code, and leaves comments as they are. Rows of tables (*.def) stay rows.
wide_lines() {
    grep -rnE '^.{141,}$' "$src" --include='*.[ch]'
}

# Whoever includes more than this knows too much: the file has two jobs, or another file keeps one of its own from it.
most_includes=12
many_includes() {
    find "$src/engine" -name '*.[ch]' -exec grep -cE '^ *# *include' {} + | awk -F: -v most="$most_includes" '$2 > most { print $1 ": " $2 }'
}

long_functions() {
    awk 'FNR == 1 { start = 0 }
         /^\{/ { start = FNR }
         /^\}/ { if (start && FNR - start - 1 > 50) print FILENAME ":" start ": " FNR - start - 1 " lines"; start = 0 }' \
        $(find "$src" -name '*.c')
}

result 'base includes nothing of kernel, engine or shim' "$(upward base 'kernel|engine|shim')"
result 'kernel includes nothing of engine or shim' "$(upward kernel 'engine|shim')"
result 'engine includes nothing of shim' "$(upward engine shim)"
result 'nothing of these includes anything of profile' "$(for room in base kernel engine shim; do upward $room profile; done)"
result 'profile knows of the engine what it tells an observer' \
    "$(upward ../profile 'kernel|engine|shim' | grep -vE '"engine/report/(observe|counters)\.h"|/profile/tests/')"
result 'every file below shim ends its includes with base/poison.h' "$(without_poison)"
if grep -qE 'base.*kernel.*engine.*shim' "$src/README.md"; then published=; else published="$src/README.md names no order"; fi
result 'the order is published in src/README.md' "$published"
result 'files have at most 400 lines' "$(long_files)"
result 'lines have at most 140 columns' "$(wide_lines)"
result "files of the engine include at most $most_includes others" "$(many_includes)"
result 'functions have at most 50 lines' "$(long_functions)"
if [ ! -e "$objects/.libs/libengine.a" ]; then
    skip 'the engine refers to no interposed name' 'the engine is not built here'
elif grep -q '^SANITIZER_FLAGS = .' "${TOP_BUILDDIR:-.}/Makefile" 2>/dev/null; then
    skip 'the engine refers to no interposed name' 'a sanitizer calls what it likes'
else
    result 'the engine refers to no interposed name' "$(undefined)"
fi
end
