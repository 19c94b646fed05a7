# Included by the top Makefile.am; paths are from the top. A program is one line here, and one or more in tests/preload/stories.
check_PROGRAMS += \
    tests/preload/alloc \
    tests/preload/alloc_names \
    tests/preload/alloc_limits \
    tests/preload/api_anon \
    tests/preload/api_diff \
    tests/preload/api_memory \
    tests/preload/api_moves \
    tests/preload/api_misuse \
    tests/preload/bytes_object \
    tests/preload/race \
    tests/preload/race_copies \
    tests/preload/signals \
    tests/preload/stacks \
    tests/preload/small_calls \
    tests/preload/copies \
    tests/preload/counted \
    tests/preload/descriptors \
    tests/preload/early \
    tests/preload/early_dlsym \
    tests/preload/io_pages \
    tests/preload/fork_threads \
    tests/preload/forks \
    tests/preload/children \
    tests/preload/handed_on \
    tests/preload/held \
    tests/preload/served \
    tests/preload/fork_unannounced \
    tests/preload/jump_out \
    tests/preload/lean \
    tests/preload/summary \
    tests/preload/open_numbers \
    tests/preload/waits

tests_preload_early_dlsym_LDFLAGS = -Wl,--export-dynamic
tests_preload_bytes_object_LDFLAGS = -Wl,--export-dynamic

# A library of the tests' own; -rpath makes it a shared one.
check_LTLIBRARIES += tests/preload/early_library.la
tests_preload_early_library_la_SOURCES = tests/preload/early_library.c tests/preload/early_library.h
tests_preload_early_library_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere

check_PROGRAMS += \
    tests/preload/attributes \
    tests/preload/confine \
    tests/preload/confined \
    tests/preload/core_dump \
    tests/preload/io_calls \
    tests/preload/memory_calls \
    tests/preload/scene \
    tests/preload/secrets

check_LTLIBRARIES += tests/preload/asking_library.la
tests_preload_asking_library_la_SOURCES = tests/preload/asking_library.c
tests_preload_asking_library_la_CFLAGS = $(COWSHIM_WARNINGS) -fno-builtin
tests_preload_asking_library_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere

check_LTLIBRARIES += tests/preload/api_library.la
tests_preload_api_library_la_SOURCES = tests/preload/api_library.c
tests_preload_api_library_la_CFLAGS = $(AM_CFLAGS) -fvisibility=default
tests_preload_api_library_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere

dist_check_SCRIPTS += tests/preload/core.sh tests/preload/faults.sh tests/preload/run.sh tests/preload/same.sh
EXTRA_DIST += tests/support/check.h tests/support/count_exits.c tests/support/find_library.sh tests/support/patience.h tests/support/pattern.h tests/support/tap.py tests/support/tap.sh tests/preload/stories tests/preload/story.h \
    tests/preload/alloc.h tests/preload/held.h tests/preload/instruction.h tests/preload/io.h tests/preload/own_files.h tests/preload/pair.h tests/preload/race.h \
    tests/preload/registered.h tests/preload/ring.h tests/preload/same.h tests/preload/scene.h
TESTS += tests/preload/core.sh tests/preload/faults.sh tests/preload/run.sh tests/preload/same.sh
