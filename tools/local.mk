# Included by the top Makefile.am; paths are from the top.
# The program is not called after its folder: a program and a folder of one name cannot both be made in the tree.
bin_PROGRAMS += tools/cowshim
tools_cowshim_SOURCES = \
    tools/command/command.h \
    tools/command/commands.def \
    tools/command/document.c tools/command/document.h \
    tools/command/document_page.c \
    tools/command/document_text.c \
    tools/command/doctor.c tools/command/doctor.h \
    tools/command/doctor_kernel.c \
    tools/command/doctor_limits.c \
    tools/command/doctor_stores.c \
    tools/command/elf_file.c tools/command/elf_file.h \
    tools/command/findings.c tools/command/findings.h \
    tools/command/json.c tools/command/json.h \
    tools/command/launch.c tools/command/launch.h \
    tools/command/library.c tools/command/library.h \
    tools/command/main.c \
    tools/command/map.c \
    tools/command/map_draw.h \
    tools/command/map_svg.c \
    tools/command/map_terminal.c \
    tools/command/markup.c \
    tools/command/markup.h \
    tools/command/message.c \
    tools/command/picture.c tools/command/picture.h \
    tools/command/places.c tools/command/places.h \
    tools/command/process.c tools/command/process.h \
    tools/command/process_words.c \
    tools/command/profile.c tools/command/profile.h \
    tools/command/profile_json.c tools/command/profile_json.h \
    tools/command/program.c tools/command/program.h \
    tools/command/report.c \
    tools/command/run.c \
    tools/command/scene.c tools/command/scene.h \
    tools/command/scene_read.c tools/command/scene_read.h \
    tools/command/settings.c tools/command/settings.h \
    tools/command/simulate.c tools/command/simulate.h \
    tools/command/size_text.c tools/command/size_text.h \
    tools/command/stat.c \
    tools/command/stat_text.c tools/command/stat_text.h \
    tools/command/symbols.c tools/command/symbols.h \
    tools/command/target.c tools/command/target.h \
    tools/command/top.c \
    tools/command/trail.c tools/command/trail.h \
    tools/command/value.c tools/command/value.h \
    tools/command/verdict.c \
    tools/command/world.c tools/command/world.h
nodist_tools_cowshim_SOURCES = tools/command/page.inc
tools_cowshim_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_builddir) -DPKGLIBDIR='"$(pkglibdir)"'
# The engine has the table of variables; where it is built with a sanitizer, what links it must be too.
tools_cowshim_CFLAGS = $(AM_CFLAGS) $(SANITIZER_FLAGS) $(ELFUTILS_CFLAGS) $(JSON_CFLAGS) $(NCURSES_CFLAGS)
tools_cowshim_LDADD = src/libengine.la $(ELFUTILS_LIBS) $(JSON_LIBS) $(NCURSES_LIBS) -lm

# The page as a string of C, a line for each of its lines.
BUILT_SOURCES += tools/command/page.inc
CLEANFILES += tools/command/page.inc
EXTRA_DIST += tools/command/page.html
tools/command/page.inc: tools/command/page.html
	@$(MKDIR_P) tools/command
	$(AM_V_GEN)sed 's/[\\"]/\\&/g; s/.*/"&\\n"/' $(srcdir)/tools/command/page.html >$@.new && mv $@.new $@

bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = completions/bash/cowshim
zshcompletiondir = $(datadir)/zsh/site-functions
dist_zshcompletion_DATA = completions/zsh/_cowshim

dist_check_SCRIPTS += tools/command/run-test.sh completions/completions-test.sh
TESTS += tools/command/run-test.sh completions/completions-test.sh
