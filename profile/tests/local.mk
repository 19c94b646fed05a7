# Included by the top Makefile.am; paths are from the top.
dist_check_SCRIPTS += profile/tests/run.sh
EXTRA_DIST += profile/tests/five.py profile/tests/filled.py profile/tests/native.cpp profile/tests/profile.py
TESTS += profile/tests/run.sh
