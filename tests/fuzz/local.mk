# Included by the top Makefile.am; paths are from the top.
#
# The engine under libFuzzer: tools/build build-fuzz CC=clang --enable-fuzzing && make -C build-fuzz fuzz MINUTES=n
# A find is run again by build-fuzz/tests/fuzz/fuzz FILE, or in any build by tests/fuzz/replay FILE; its shortest form is made by
# build-fuzz/tests/fuzz/fuzz -minimize_crash=1 -runs=10000 FILE, and belongs into tests/fuzz/corpus. What new inputs reach goes
# there by build-fuzz/tests/fuzz/fuzz -merge=1 tests/fuzz/corpus build-fuzz/fuzz-corpus.
fuzz_sources = tests/fuzz/target.c tests/fuzz/target.h tests/fuzz/operations.c tests/fuzz/operations.h \
    tests/fuzz/actors.c tests/fuzz/actors.h tests/fuzz/slots.c tests/fuzz/slots.h tests/model/oracle.h tests/preload/ring.h
# Not instrumented themselves: what an input covers of the engine is to be found, not what it covers of the test.
fuzz_libs = src/libengine.la -lpthread -ldl

check_PROGRAMS += tests/fuzz/replay
tests_fuzz_replay_SOURCES = tests/fuzz/replay.c $(fuzz_sources)
tests_fuzz_replay_LDFLAGS = $(SANITIZER_FLAGS)
tests_fuzz_replay_LDADD = $(fuzz_libs)

if FUZZING
noinst_PROGRAMS += tests/fuzz/fuzz
tests_fuzz_fuzz_SOURCES = $(fuzz_sources)
tests_fuzz_fuzz_LDFLAGS = $(SANITIZER_FLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_LDADD = $(fuzz_libs)

fuzz: tests/fuzz/fuzz
	$(srcdir)/tests/fuzz/fuzz.sh tests/fuzz/fuzz $(MINUTES)
else
fuzz:
	@echo 'no fuzzing build: tools/build build-fuzz CC=clang --enable-fuzzing, then make -C build-fuzz fuzz' >&2; exit 1
endif
.PHONY: fuzz

dist_check_SCRIPTS += tests/fuzz/corpus.sh tests/fuzz/fuzz.sh
EXTRA_DIST += tests/fuzz/corpus
TESTS += tests/fuzz/corpus.sh
