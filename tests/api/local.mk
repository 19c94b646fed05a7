# Included by the top Makefile.am; paths are from the top.
dist_check_SCRIPTS += tests/api/run.sh tests/api/cmake.sh
EXTRA_DIST += tests/api/every.c
TESTS += tests/api/run.sh tests/api/cmake.sh
