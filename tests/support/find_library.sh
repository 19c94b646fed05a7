# SPDX-License-Identifier: MIT
# To be sourced. find_library FILE: where the library is that a test preloads beside ours, or nothing.
find_library() {
    for directory in /usr/lib/$(uname -m)-linux-gnu /usr/lib64 /usr/lib /usr/local/lib; do
        [ -e "$directory/$1" ] && echo "$directory/$1" && return
    done
}
