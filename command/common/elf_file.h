/* SPDX-License-Identifier: MIT */
/* The little that we ask of a program file before it runs. */
#ifndef COWSHIM_COMMAND_ELF_FILE_H
#define COWSHIM_COMMAND_ELF_FILE_H

#include <stdbool.h>
#include <stdint.h>

struct elf_file {
    unsigned char class, data; /* as in e_ident */
    uint16_t machine;
    /* Only of files of our own class and byte order: */
    bool is_static;        /* nobody reads LD_PRELOAD */
    char loader[256];      /* its PT_INTERP, or "" */
    const char *sanitizer; /* the name of the one it was built with, or NULL */
};

/* 0; -ENOEXEC when it is no ELF file or a broken one; or why it cannot be read. */
int elf_read(const char *path, struct elf_file *file);
bool elf_same_machine(const struct elf_file *a, const struct elf_file *b);
/* "32-bit i386", for messages; text must have room for 48 characters. */
const char *elf_machine_name(const struct elf_file *file, char text[48]);

#endif
