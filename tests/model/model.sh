#!/bin/sh
# Runs the model in every variant of tests/model/variants and src/kernel/fallbacks.def: TAP, one line each, as many at a time as there are processors.
# model.sh [VARIANT...]; SEED=n picks the seeds (0: by the clock), FACTOR=n multiplies the operations, SLICE=n divides them
# where there are thousands, JOBS=n is how many at a time.
here=$(cd "$(dirname "$0")" && pwd)
model=${TOP_BUILDDIR:-.}/tests/model/model
seed=${SEED:-20260101}
[ "$seed" = 0 ] && seed=$(date +%s%N)
# shellcheck source=tests/support/tap.sh
. "$here/../support/tap.sh"
needs_shim
take_work "$@"

# shellcheck source=tests/support/find_library.sh
. "$here/../support/find_library.sh"

# number name operations expectation unit threads [environment]
run_one() {
    number=$1 name=$2 operations=$(($3 * ${FACTOR:-1})) expect=$4 unit=$5 threads=$6
    shift 6
    [ $operations -lt 4000 ] || operations=$((operations / ${SLICE:-1}))
    preload=$COWSHIM_LIBRARY
    for setting; do
        case $setting in
        PRELOAD=*)
            behind=$(find_library "${setting#PRELOAD=}")
            if [ -z "$behind" ]; then
                skip "$name" "${setting#PRELOAD=} is not installed" >"$work/$number.result"
                return
            fi
            preload=$preload:$behind
            shift
            ;;
        esac
    done
    if env "$@" COWSHIM_MIN_SIZE="$unit" LD_PRELOAD="$preload" "$model" --seed $((seed + number)) --ops "$operations" --threads "$threads" \
        --min-size "$unit" --expect "$expect" --patience $((600 * ${FACTOR:-1} * ${TEST_PATIENCE:-1})) >"$work/$number.out" 2>&1; then
        ok "$name: $operations operations, $unit, $threads threads, seed $((seed + number))"
    else
        sed 's/^[^#]/# &/' "$work/$number.out"
        not_ok "$name: $operations operations, $unit, $threads threads, seed $((seed + number)) $*"
    fi >"$work/$number.result"
}

if [ "$1" = --one ]; then
    # The variants file is ours: its words are the arguments.
    # shellcheck disable=SC2046
    run_one "$3" $(sed -n "$3p" "$work/all")
    exit
fi
# One variant for each line of the table of fallbacks: its last two columns.
fallbacks() {
    sed -nE 's/^FALLBACK\(.*, "([a-z]+)", "([a-z0-9,-]+)"\)$/\1 \2/p' "$here/../../src/kernel/fallbacks.def" |
        while read -r expect words; do
            echo "${words%%,*} 8000 $expect 8K 1 COWSHIM_INTERNAL=$words"
        done
}

{ grep -v '^#' "$here/variants"; fallbacks; } >"$work/all"
if [ $# -gt 0 ]; then
    for wanted; do grep "^$wanted " "$work/all"; done >"$work/some"
    mv "$work/some" "$work/all"
fi
lines=$(wc -l <"$work/all")
export SEED="$seed"
seq "$lines" | xargs -P "${JOBS:-$(nproc)}" -n 1 "$0" --one "$work"
# shellcheck disable=SC2046 # names of ours
merge $(seq "$lines" | sed "s|.*|$work/&.result|")
