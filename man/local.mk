# Included by the top Makefile.am; paths are from the top.
EXTRA_DIST += man/cowshim.1
if COMMAND
nodist_man_MANS += man/cowshim.1
TESTS += man/check-variables.sh
endif
dist_man_MANS += \
    man/cowshim_active.3 \
    man/cowshim_copy.3 \
    man/cowshim_diff.3 \
    man/cowshim_dup.3 \
    man/cowshim_exclude.3 \
    man/cowshim_expect_rewrite.3 \
    man/cowshim_include.3 \
    man/cowshim_merge.3 \
    man/cowshim_register.3 \
    man/cowshim_residency.3 \
    man/cowshim_seal.3 \
    man/cowshim_stats.3 \
    man/cowshim_unregister.3 \
    man/cowshim_version.3

# What is intercepted, and what of the kernel may be missing, is said by the tables of the source.
nodist_man_MANS += man/libcowshim.7
CLEANFILES += man/libcowshim.7
EXTRA_DIST += man/tables.awk man/libcowshim.7.in
man/libcowshim.7: man/libcowshim.7.in man/tables.awk src/base/hooks.def src/kernel/fallbacks.def
	$(AM_V_GEN)$(MKDIR_P) man && $(AWK) -f $(srcdir)/man/tables.awk $(srcdir)/src/base/hooks.def $(srcdir)/src/kernel/fallbacks.def $(srcdir)/man/libcowshim.7.in >$@.new && mv $@.new $@

dist_check_SCRIPTS += man/check-variables.sh
