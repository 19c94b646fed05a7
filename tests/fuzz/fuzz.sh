#!/bin/sh
# fuzz.sh PROGRAM [MINUTES]: libFuzzer from the corpus of the tree on. New inputs go to ./fuzz-corpus, one that fails to ./crash-*.
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p fuzz-corpus
exec "$1" -max_total_time=$((${2:-10} * 60)) -max_len=256 -len_control=0 -timeout=60 -rss_limit_mb=4096 -print_final_stats=1 -detect_leaks=0 \
    fuzz-corpus "$here/corpus"
