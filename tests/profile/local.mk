# Included by the top Makefile.am; paths are from the top.
dist_check_SCRIPTS += tests/profile/run.sh
EXTRA_DIST += tests/profile/five.py tests/profile/native.cpp tests/profile/profile.py
TESTS += tests/profile/run.sh
