# Included by the top Makefile.am; paths are from the top.
check_PROGRAMS += tests/model/model
tests_model_model_SOURCES = \
    tests/model/model.c tests/model/oracle.h \
    tests/model/operation.h \
    tests/model/run_actor.c tests/model/run_allocation.c tests/model/run_copy.c tests/model/run_fork.c tests/model/run_memory.c \
    tests/model/slot.c tests/model/slot.h \
    tests/model/world.c tests/model/world.h
tests_model_model_CFLAGS = $(COWSHIM_WARNINGS) $(COWSHIM_CALL_FLAGS) -pthread
tests_model_model_LDFLAGS = -pthread

dist_check_SCRIPTS += tests/model/model.sh tests/model/soak.sh
EXTRA_DIST += tests/model/variants
TESTS += tests/model/model.sh

soak: all $(check_PROGRAMS)
	@COWSHIM_LIBRARY='$(abs_top_builddir)/src/.libs/libcowshim.so' TOP_BUILDDIR='$(abs_top_builddir)' \
	    TOP_SRCDIR='$(abs_top_srcdir)' $(srcdir)/tests/model/soak.sh $(MINUTES)
.PHONY: soak
