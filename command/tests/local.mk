# Included by the top Makefile.am; paths are from the top.
# `cowshim stat`, `map`, `top` and `doctor`, seen from outside.
check_PROGRAMS += command/tests/target command/tests/without
command_tests_target_CFLAGS = $(COWSHIM_WARNINGS) -fno-builtin
command_tests_target_CPPFLAGS = $(AM_CPPFLAGS)
command_tests_without_CFLAGS = $(COWSHIM_WARNINGS)

dist_check_SCRIPTS += command/tests/see.sh command/tests/doctor.sh
TESTS += command/tests/see.sh command/tests/doctor.sh
