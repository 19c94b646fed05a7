#!/bin/sh
# SPDX-License-Identifier: MIT
# TAP: the functions of R/cowshim.R, and what a line of .Renviron does.
set -u

# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../../tests/support/tap.sh"
needs_shim
command -v Rscript >/dev/null || skip_all 'R is not installed (r-base-core)'
cowshim=$TOP_BUILDDIR/command/cowshim
[ -x "$cowshim" ] || skip_all 'the command is not built'
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
for variable in $(env | sed -n 's/^\(COWSHIM_[A-Z_]*\)=.*/\1/p'); do
    [ "$variable" = COWSHIM_LIBRARY ] || unset "$variable"
done
unset LD_PRELOAD
export R_ENVIRON_USER="$work/environ" R_PROFILE_USER="$work/none"
: >"$work/environ"
cd "$work" || exit 99

cat >copies.R <<END
options(cowshim.command = "$cowshim")
source("$TOP_SRCDIR/R/cowshim.R")
if (Sys.getenv("RELAUNCH") == "yes") cowshim_relaunch(c("--policy", "memory"))
cat(cowshim_active(), commandArgs(TRUE), "\n")
x <- numeric(2^22) + 2
y <- x
y[1] <- 1
cat(cowshim_saved() > 31 * 2^20, isTRUE(unname(cowshim_stats()["arrays"]) > 1), y[1], x[1], "\n")
quit(status = 7)
END
program() {
    "$@" >out 2>&1
    code=$?
    echo "$code $(tr '\n' '|' <out)"
}

is 'without the shim' '7 FALSE  |FALSE FALSE 1 2 |' "$(program Rscript copies.R)"
is 'with it: saved is what is shared' '7 TRUE a b |TRUE TRUE 1 2 |' "$(program "$cowshim" run --policy memory -- Rscript copies.R 'a b')"
is 'a script that relaunches itself' '7 TRUE a b c |TRUE TRUE 1 2 |' "$(RELAUNCH=yes program Rscript copies.R 'a b' c)"
is 'and is no endless loop where the shim cannot be' '7 FALSE  |FALSE FALSE 1 2 |' "$(RELAUNCH=yes RELAUNCHED_BY_COWSHIM=1 program Rscript copies.R)"
is 'no script: it says what to type' yes \
    "$(printf 'source("%s/R/cowshim.R"); cowshim_relaunch()\n' "$TOP_SRCDIR" | R --no-save --no-echo 2>&1 | grep -q 'type: cowshim run -- R' && echo yes)"

echo "LD_PRELOAD=$COWSHIM_LIBRARY" >environ
is 'a line of .Renviron reaches what R starts, and not R' 'FALSE TRUE ' "$(Rscript -e "
source('$TOP_SRCDIR/R/cowshim.R')
cat(cowshim_active(), any(grepl('libcowshim', system('cat /proc/self/maps', intern = TRUE))), '')")"
end
