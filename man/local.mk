# Included by the top Makefile.am; paths are from the top.
dist_man_MANS += man/cowshim.1 man/libcowshim.7

dist_check_SCRIPTS += man/check-variables.sh
TESTS += man/check-variables.sh
