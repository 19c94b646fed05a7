# Included by the top Makefile.am; paths are from the top.
preload_flags = $(COWSHIM_WARNINGS) -fno-builtin -pthread
check_PROGRAMS += tests/preload/fork_threads tests/preload/fork_unannounced tests/preload/jump_out
tests_preload_fork_threads_CFLAGS = $(preload_flags)
tests_preload_fork_threads_LDFLAGS = -pthread
tests_preload_fork_unannounced_CFLAGS = $(preload_flags)
tests_preload_fork_unannounced_LDFLAGS = -pthread
tests_preload_jump_out_CFLAGS = $(preload_flags)
tests_preload_jump_out_LDFLAGS = -pthread

dist_check_SCRIPTS += tests/preload/run.sh
EXTRA_DIST += tests/preload/exports.txt
TESTS += tests/preload/run.sh
