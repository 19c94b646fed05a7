# Included by the top Makefile.am; paths are from the top.
# Loaded beside the shim by `cowshim profile`; may use libraries, and stands in front of nothing but write().
if PROFILE
if !SANITIZED
pkglib_LTLIBRARIES += src/libcowshim-profile.la
endif
endif
src_libcowshim_profile_la_SOURCES = \
    src/base/tree.c \
    profile/again.c profile/again.h \
    profile/block.c profile/block.h \
    profile/clock.h \
    profile/format.h \
    profile/heap.c profile/heap.h \
    profile/maps.c profile/maps.h \
    profile/memory.c profile/memory.h \
    profile/observer.c \
    profile/python.c profile/python.h \
    profile/r.c profile/r.h \
    profile/sample.c profile/sample.h \
    profile/stack.c profile/stack.h \
    profile/tell.c profile/tell.h \
    profile/thrift.c profile/thrift.h \
    profile/trail.c profile/trail.h \
    profile/unseen.c profile/unseen.h
src_libcowshim_profile_la_CFLAGS = $(COWSHIM_WARNINGS) $(COWSHIM_COMMON_FLAGS) -ftls-model=initial-exec $(UNWIND_CFLAGS)
src_libcowshim_profile_la_LIBADD = $(UNWIND_LIBS)
src_libcowshim_profile_la_LDFLAGS = -module -avoid-version -shared -Wl,-z,defs -Wl,-z,relro -Wl,-z,now -Wl,-z,nodelete

dist_check_SCRIPTS += profile/tests/run.sh
EXTRA_DIST += profile/tests/chained.py profile/tests/five.py profile/tests/filled.py profile/tests/native.cpp profile/tests/profile.py
if TOOLS
if PROFILE
TESTS += profile/tests/run.sh
endif
endif
