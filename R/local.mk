# Included by the top Makefile.am; paths are from the top. One file for source(): no package of R, and nothing to build.
rfunctionsdir = $(pkgdatadir)/R
dist_rfunctions_DATA = R/cowshim.R
dist_check_SCRIPTS += R/tests/run.sh
TESTS += R/tests/run.sh
