# Included by the top Makefile.am; paths are from the top.
# make bench                              every row, half an hour
# make bench BENCH_ARGS='--quick'         small arrays: shows that all of it works
# make bench BENCH_ARGS='--tier memfd --rows first*,unchanged* --json out.json'
noinst_PROGRAMS += tests/bench/workloads
tests_bench_workloads_SOURCES = \
    tests/bench/arrays.c \
    tests/bench/bench.h \
    tests/bench/chains.c \
    tests/bench/control.c \
    tests/bench/copies.c \
    tests/bench/small.c \
    tests/bench/workloads.c
tests_bench_workloads_CFLAGS = $(AM_CFLAGS) -O2
tests_bench_workloads_LDADD = -lpthread

# A shared module that is never installed: -rpath makes libtool build one at all.
noinst_LTLIBRARIES += tests/bench/empty.la
tests_bench_empty_la_SOURCES = tests/bench/empty.c
tests_bench_empty_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere

EXTRA_DIST += \
    tests/bench/bench.py tests/bench/compare.py tests/bench/curves.py tests/bench/machine.py \
    tests/bench/numpy_rows.py tests/bench/plot.py tests/bench/rows.py tests/bench/runner.py \
    tests/bench/results/README.md tests/bench/results/2026-11-22-curves.json tests/bench/results/2026-11-22-huge.json tests/bench/results/2026-11-22-memfd.json \
    tests/bench/results/2026-11-22-huge-quiet.json tests/bench/results/2026-11-22-memfd-quiet.json \
    tests/bench/results/2026-11-24-huge-pvm.json tests/bench/results/2026-11-24-memfd-pvm.json \
    tests/bench/results/2026-11-24-morning-pvm.json tests/bench/results/2026-11-24-diff-pvm.json \
    tests/bench/results/2026-11-24-growth-pvm.json tests/bench/results/2026-11-24-growth-8g-pvm.json \
    tests/bench/results/2026-11-24-curves-pvm.json

.PHONY: bench
bench: src/libcowshim.la tests/bench/workloads tests/bench/empty.la
	COWSHIM_BUILD='$(abs_top_builddir)' /usr/bin/python3 -B $(srcdir)/tests/bench/bench.py $(BENCH_ARGS)
