# Included by the top Makefile.am; paths are from the top.
# `cowshim run` needs nothing but libc; `cowshim` becomes cowshim-tools for what draws, reads debugging information or writes JSON.
if COMMAND
bin_PROGRAMS += command/cowshim
noinst_LTLIBRARIES += command/libcommon.la
endif
if TOOLS
bin_PROGRAMS += command/cowshim-tools
endif
command_cowshim_SOURCES = \
    command/common/become.c \
    command/common/jupyter.c \
    command/common/main.c \
    command/common/run.c
command_libcommon_la_SOURCES = \
    command/common/command.c command/common/command.h \
    command/common/commands.def \
    command/common/elf_file.c command/common/elf_file.h \
    command/common/launch.c command/common/launch.h \
    command/common/library.c command/common/library.h \
    command/common/message.c \
    command/common/options.c command/common/options.h \
    command/common/place.c command/common/place.h \
    command/common/program.c command/common/program.h \
    command/common/settings.c command/common/settings.h \
    command/common/target.c command/common/target.h \
    command/common/wrap.c command/common/wrap.h
command_cowshim_tools_SOURCES = \
    command/tools.c \
    command/doctor/doctor.c command/doctor/doctor.h \
    command/doctor/doctor_devices.c \
    command/doctor/doctor_kernel.c \
    command/doctor/doctor_limits.c \
    command/doctor/doctor_stores.c \
    command/common/json.c command/common/json.h \
    command/common/process.c command/common/process.h \
    command/common/process_words.c \
    command/common/size_text.c command/common/size_text.h \
    command/common/value.c command/common/value.h \
    command/live/map.c \
    command/live/map_draw.h \
    command/live/map_svg.c \
    command/live/map_terminal.c \
    command/live/scene.c command/live/scene.h \
    command/live/scene_read.c command/live/scene_read.h \
    command/live/stat.c \
    command/live/stat_text.c command/live/stat_text.h \
    command/live/top.c \
    command/trail/cells.c command/trail/cells.h \
    command/trail/document.c command/trail/document.h \
    command/trail/document_page.c \
    command/trail/document_text.c \
    command/trail/findings.c command/trail/findings.h \
    command/trail/inherit.c command/trail/inherit.h \
    command/trail/markup.c command/trail/markup.h \
    command/trail/picture.c command/trail/picture.h \
    command/trail/places.c command/trail/places.h \
    command/trail/profile.c command/trail/profile.h \
    command/trail/profile_json.c command/trail/profile_json.h \
    command/trail/remains.c command/trail/remains.h \
    command/trail/report.c \
    command/trail/simulate.c command/trail/simulate.h \
    command/trail/symbols.c command/trail/symbols.h \
    command/trail/trail.c command/trail/trail.h \
    command/trail/try.c \
    command/trail/verdict.c \
    command/trail/world.c command/trail/world.h \
    command/trail/world_measure.c
nodist_command_cowshim_tools_SOURCES = command/trail/page.inc
# The engine has the table of variables; where it is built with a sanitizer, what links it must be too.
command_cowshim_CPPFLAGS = $(AM_CPPFLAGS) -DPYTHONMODULESDIR='"$(pythonmodulesdir)"'
command_cowshim_CFLAGS = $(COWSHIM_WARNINGS) $(COWSHIM_COMMON_FLAGS) $(SANITIZER_FLAGS)
command_cowshim_LDADD = command/libcommon.la src/libengine.la
command_libcommon_la_CPPFLAGS = $(AM_CPPFLAGS) -DPKGLIBDIR='"$(pkglibdir)"'
command_libcommon_la_CFLAGS = $(command_cowshim_CFLAGS)
command_cowshim_tools_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_builddir)
command_cowshim_tools_CFLAGS = $(command_cowshim_CFLAGS) $(ELFUTILS_CFLAGS) $(JSON_CFLAGS) $(NCURSES_CFLAGS)
command_cowshim_tools_LDADD = command/libcommon.la src/libengine.la $(ELFUTILS_LIBS) $(JSON_LIBS) $(NCURSES_LIBS) -lm

# The page as a string of C, a line for each of its lines.
if TOOLS
BUILT_SOURCES += command/trail/page.inc
endif
CLEANFILES += command/trail/page.inc
EXTRA_DIST += command/trail/page.html
command/trail/page.inc: command/trail/page.html
	@$(MKDIR_P) command/trail
	$(AM_V_GEN)sed 's/[\\"]/\\&/g; s/.*/"&\\n"/' $(srcdir)/command/trail/page.html >$@.new && mv $@.new $@

# What the command says in JSON.
if TOOLS
schemadir = $(pkgdatadir)/schema
schema_DATA = $(schemas)
endif
schemas = doc/schema/doctor.json doc/schema/profile.json doc/schema/stat.json doc/schema/stats.json
EXTRA_DIST += doc/json.md $(schemas)

EXTRA_DIST += command/completions/bash/cowshim command/completions/zsh/_cowshim
if COMMAND
bashcompletiondir = $(datadir)/bash-completion/completions
bashcompletion_DATA = command/completions/bash/cowshim
zshcompletiondir = $(datadir)/zsh/site-functions
zshcompletion_DATA = command/completions/zsh/_cowshim
endif

# `cowshim stat`, `map`, `top` and `doctor` are seen from outside.
check_PROGRAMS += command/tests/target command/tests/without
command_tests_target_CFLAGS = $(COWSHIM_WARNINGS) -fno-builtin
command_tests_target_CPPFLAGS = $(AM_CPPFLAGS)
command_tests_without_CFLAGS = $(COWSHIM_WARNINGS)

dist_check_SCRIPTS += command/tests/run.sh command/tests/completions.sh command/tests/see.sh command/tests/doctor.sh command/tests/readme.sh command/tests/schemas.sh
EXTRA_DIST += command/tests/schemas.py
if TOOLS
TESTS += command/tests/run.sh command/tests/completions.sh command/tests/see.sh command/tests/doctor.sh command/tests/readme.sh command/tests/schemas.sh
endif
