#!/bin/sh
# soak.sh MINUTES: the model with fresh seeds over all variants, and many receives of a ring and frames of AF_XDP while their memory is
# copied, until the time is over; stops at the first difference.
here=$(cd "$(dirname "$0")" && pwd)
end=$(($(date +%s) + ${1:-10} * 60))
rounds=0
while [ "$(date +%s)" -lt $end ]; do
    STORY_TIMES=100 TEST_PATIENCE=10 "$here/../preload/run.sh" held held-mprotect served served-old || exit 1
    SEED=0 MODEL_ACTORS="${MODEL_ACTORS:-4}" "$here/model.sh" || exit 1
    rounds=$((rounds + 1))
done
echo "# $rounds rounds over all variants without a difference"
