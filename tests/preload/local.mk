# Included by the top Makefile.am; paths are from the top. A program is one line here, and one or more in tests/preload/stories.
check_PROGRAMS += \
    tests/preload/fork_threads \
    tests/preload/fork_unannounced \
    tests/preload/jump_out \
    tests/preload/open_numbers

dist_check_SCRIPTS += tests/preload/run.sh
EXTRA_DIST += tests/preload/exports.txt tests/preload/stories tests/preload/story.h
TESTS += tests/preload/run.sh
