# Included by the top Makefile.am; paths are from the top.
# make bench                              every row, half an hour, then the grid, two hours
# make bench BENCH_ARGS='--quick'         small arrays: shows that all of it works
# make bench BENCH_ARGS='--tier memfd --rows first*,unchanged* --json out.json'
noinst_PROGRAMS += bench/workloads
bench_workloads_SOURCES = \
    bench/arrays.c \
    bench/bench.h \
    bench/chains.c \
    bench/control.c \
    bench/copies.c \
    bench/small.c \
    bench/workloads.c
bench_workloads_CFLAGS = $(AM_CFLAGS) -O2
bench_workloads_LDADD = -lpthread

# One cell of the grid: what bench/grid.py runs.
noinst_PROGRAMS += bench/grid
bench_grid_SOURCES = bench/grid.c
bench_grid_CFLAGS = $(AM_CFLAGS) -O2

# A shared module that is never installed: -rpath makes libtool build one at all.
noinst_LTLIBRARIES += bench/empty.la
bench_empty_la_SOURCES = bench/empty.c
bench_empty_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere

EXTRA_DIST += \
    bench/bench.py bench/compare.py bench/curves.py bench/grid.py bench/machine.py \
    bench/numpy_rows.py bench/plot.py bench/rows.py bench/runner.py \
    bench/curves.json bench/results.md

.PHONY: bench
bench: src/libcowshim.la bench/workloads bench/grid bench/empty.la
	COWSHIM_BUILD='$(abs_top_builddir)' /usr/bin/python3 -B $(srcdir)/bench/bench.py $(BENCH_ARGS)
