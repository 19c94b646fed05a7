# Included by the top Makefile.am; paths are from the top.
# The program is not called after its folder: a program and a folder of one name cannot both be made in the tree.
bin_PROGRAMS += tools/cowshim
tools_cowshim_SOURCES = \
    tools/command/command.h \
    tools/command/commands.def \
    tools/command/elf_file.c tools/command/elf_file.h \
    tools/command/json.c tools/command/json.h \
    tools/command/library.c tools/command/library.h \
    tools/command/main.c \
    tools/command/message.c \
    tools/command/process.c tools/command/process.h \
    tools/command/process_words.c \
    tools/command/program.c tools/command/program.h \
    tools/command/run.c \
    tools/command/scene.c tools/command/scene.h \
    tools/command/scene_read.c tools/command/scene_read.h \
    tools/command/settings.c tools/command/settings.h \
    tools/command/size_text.c tools/command/size_text.h \
    tools/command/stat.c \
    tools/command/stat_text.c tools/command/stat_text.h \
    tools/command/target.c tools/command/target.h
tools_cowshim_CPPFLAGS = $(AM_CPPFLAGS) -DPKGLIBDIR='"$(pkglibdir)"'
# The engine has the table of variables; where it is built with a sanitizer, what links it must be too.
tools_cowshim_CFLAGS = $(AM_CFLAGS) $(SANITIZER_FLAGS) $(JSON_CFLAGS) $(NCURSES_CFLAGS)
tools_cowshim_LDADD = src/libengine.la $(JSON_LIBS) $(NCURSES_LIBS) -lm

bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = completions/bash/cowshim
zshcompletiondir = $(datadir)/zsh/site-functions
dist_zshcompletion_DATA = completions/zsh/_cowshim

dist_check_SCRIPTS += tools/command/run-test.sh completions/completions-test.sh
TESTS += tools/command/run-test.sh completions/completions-test.sh
