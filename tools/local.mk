# Included by the top Makefile.am; paths are from the top.
# The program is not called after its folder: a program and a folder of one name cannot both be made in the tree.
bin_PROGRAMS += tools/cowshim
tools_cowshim_SOURCES = \
    tools/command/command.h \
    tools/command/commands.def \
    tools/command/elf_file.c tools/command/elf_file.h \
    tools/command/library.c tools/command/library.h \
    tools/command/main.c \
    tools/command/message.c \
    tools/command/program.c tools/command/program.h \
    tools/command/run.c \
    tools/command/settings.c tools/command/settings.h \
    tools/command/target.c tools/command/target.h
tools_cowshim_CPPFLAGS = $(AM_CPPFLAGS) -DPKGLIBDIR='"$(pkglibdir)"'
# The engine has the table of variables; where it is built with a sanitizer, what links it must be too.
tools_cowshim_CFLAGS = $(AM_CFLAGS) $(SANITIZER_FLAGS)
tools_cowshim_LDADD = src/libengine.la

bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = completions/bash/cowshim
zshcompletiondir = $(datadir)/zsh/site-functions
dist_zshcompletion_DATA = completions/zsh/_cowshim

dist_check_SCRIPTS += tools/command/run-test.sh completions/completions-test.sh
TESTS += tools/command/run-test.sh completions/completions-test.sh
