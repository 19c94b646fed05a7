# Included by the top Makefile.am; paths are from the top.
# `cowshim stat`, `map`, `top` and `doctor`, seen from outside.
check_PROGRAMS += tests/command/target tests/command/without
tests_command_target_CFLAGS = $(COWSHIM_WARNINGS) -fno-builtin
tests_command_target_CPPFLAGS = $(AM_CPPFLAGS)
tests_command_without_CFLAGS = $(COWSHIM_WARNINGS)

dist_check_SCRIPTS += tests/command/see.sh tests/command/doctor.sh
TESTS += tests/command/see.sh tests/command/doctor.sh
