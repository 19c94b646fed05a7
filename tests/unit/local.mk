# Included by the top Makefile.am; paths are from the top.
#
# Unit tests: Criterion programs that link the engine; nothing is preloaded. Each prints TAP, so that every test counts.
# One program by hand: ./tests/unit/engine --filter 'snapshot/*'; --verbose and the rest of Criterion's options work.
#
# Sanitizers: ASan and UBSan run under Criterion as it is (gcc 12 and clang 14). Under TSan Criterion cannot work at all: its
# workers inherit memory at an address that TSan's shadow forbids ("Could not initialize inheritable arena"). There the same
# test sources are run by the small runner in unit_main.c (one fork a test, --only=PART selects). Linux 6.18 with the default
# vm.mmap_rnd_bits=28 needs no setarch -R for either compiler's TSan.
dist_check_SCRIPTS += tests/unit/calls.sh tests/unit/layers.sh
TESTS += tests/unit/calls.sh tests/unit/layers.sh

unit_common = tests/unit/unit.c tests/unit/unit.h tests/unit/unit_main.c
unit_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit
unit_cflags = $(AM_CFLAGS) $(CRITERION_CFLAGS) $(SANITIZER_FLAGS)
unit_libs = src/libengine.la $(CRITERION_LIBS) -lpthread -ldl

unit_programs = tests/unit/base tests/unit/kernel tests/unit/engine
if HAVE_CRITERION
check_PROGRAMS += $(unit_programs)
TESTS += $(unit_programs)
endif

tests_unit_base_SOURCES = $(unit_common) \
    tests/unit/base_arena.c \
    tests/unit/base_config.c \
    tests/unit/base_gate.c \
    tests/unit/base_lock_log.c \
    tests/unit/base_tree.c
tests_unit_base_CPPFLAGS = $(unit_cppflags)
tests_unit_base_CFLAGS = $(unit_cflags)
tests_unit_base_LDADD = $(unit_libs)

tests_unit_kernel_SOURCES = $(unit_common) \
    tests/unit/kernel_descriptor.c \
    tests/unit/kernel_guard.c \
    tests/unit/kernel_holders.c \
    tests/unit/kernel_pagemap.c \
    tests/unit/kernel_storefile.c \
    tests/unit/kernel_sys.c \
    tests/unit/kernel_vma_text.c
tests_unit_kernel_CPPFLAGS = $(unit_cppflags)
tests_unit_kernel_CFLAGS = $(unit_cflags)
tests_unit_kernel_LDADD = $(unit_libs)

tests_unit_engine_SOURCES = $(unit_common) \
    tests/unit/engine_unit.c tests/unit/engine_unit.h tests/unit/unit_costs.h \
    tests/unit/engine_allocation.c \
    tests/unit/engine_block.c \
    tests/unit/engine_drop.c \
    tests/unit/engine_export.c \
    tests/unit/engine_extent.c \
    tests/unit/engine_fault.c \
    tests/unit/engine_fill.c \
    tests/unit/engine_foreign.c \
    tests/unit/engine_fork.c \
    tests/unit/engine_generation.c \
    tests/unit/engine_header.c \
    tests/unit/engine_memory.c \
    tests/unit/engine_merge.c \
    tests/unit/engine_fate.c \
    tests/unit/engine_judge.c \
    tests/unit/engine_placement.c \
    tests/unit/engine_policy.c \
    tests/unit/engine_race.c \
    tests/unit/engine_reason.c \
    tests/unit/engine_reclaim.c \
    tests/unit/engine_seal.c \
    tests/unit/engine_snapshot.c \
    tests/unit/engine_store.c \
    tests/unit/engine_store_lost.c \
    tests/unit/engine_summary.c
tests_unit_engine_CPPFLAGS = $(unit_cppflags)
tests_unit_engine_CFLAGS = $(unit_cflags)
tests_unit_engine_LDADD = $(unit_libs)
