/* SPDX-License-Identifier: MIT */
#include "command/trail/symbols.h"

#include <dlfcn.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct symbols {
    Dwfl *dwfl;
    char *(*demangle)(const char *name, char *buffer, size_t *length, int *status);
};

static char *debug_path;

static const Dwfl_Callbacks callbacks = {
    .find_elf = dwfl_linux_proc_find_elf,
    .find_debuginfo = dwfl_standard_find_debuginfo,
    .debuginfo_path = &debug_path,
};

struct symbols *symbols_open(const char *maps)
{
    struct symbols *symbols = maps == NULL ? NULL : calloc(1, sizeof *symbols);
    void *library = dlopen("libstdc++.so.6", RTLD_NOW);
    FILE *file;

    if (symbols == NULL)
        return NULL;
    /* Nothing is fetched from the net. */
    unsetenv("DEBUGINFOD_URLS");
    if (library != NULL)
        *(void **)&symbols->demangle = dlsym(library, "__cxa_demangle");
    symbols->dwfl = dwfl_begin(&callbacks);
    file = fmemopen((void *)(uintptr_t)maps, strlen(maps), "r");
    if (symbols->dwfl != NULL && file != NULL) {
        dwfl_report_begin(symbols->dwfl);
        dwfl_linux_proc_maps_report(symbols->dwfl, file);
        dwfl_report_end(symbols->dwfl, NULL, NULL);
    }
    if (file != NULL)
        fclose(file);
    return symbols;
}

void symbols_close(struct symbols *symbols)
{
    if (symbols == NULL)
        return;
    dwfl_end(symbols->dwfl);
    free(symbols);
}

/* Old Rust names are C++ names with a hash behind. */
static void cut_rust_hash(char *name)
{
    char *last = strrchr(name, ':');

    if (last != NULL && last > name && last[-1] == ':' && last[1] == 'h' && strspn(last + 2, "0123456789abcdef") == 16 && last[18] == '\0')
        last[-1] = '\0';
}

static char *readable(const struct symbols *symbols, const char *name)
{
    char *text = NULL;
    int status;

    if (name == NULL)
        return NULL;
    if (symbols->demangle != NULL && strncmp(name, "_Z", 2) == 0)
        text = symbols->demangle(name, NULL, NULL, &status);
    if (text != NULL)
        cut_rust_hash(text);
    return text != NULL ? text : strdup(name);
}

static const char *die_name(Dwarf_Die *die)
{
    Dwarf_Attribute attribute;
    const char *name = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute));

    return name != NULL ? name : dwarf_diename(die);
}

struct walk {
    struct symbols *symbols;
    const char *module;
    const char *file; /* where the next frame is */
    int line;
    void (*each)(void *context, struct frame *frame);
    void *context;
};

static void give(struct walk *walk, const char *name, bool artificial)
{
    struct frame frame = {
        .function = readable(walk->symbols, name),
        .file = walk->file == NULL ? NULL : strdup(walk->file),
        .line = walk->line,
        .module = walk->module,
        .artificial = artificial,
    };

    walk->each(walk->context, &frame);
}

static bool is_artificial(Dwarf_Die *die)
{
    Dwarf_Attribute attribute;
    bool flag = false;

    return dwarf_formflag(dwarf_attr_integrate(die, DW_AT_artificial, &attribute), &flag) == 0 && flag;
}

/* Where an inlined function was called from. */
static void go_out(struct walk *walk, Dwarf_Die *unit, Dwarf_Die *inlined)
{
    Dwarf_Attribute attribute;
    Dwarf_Files *files;
    Dwarf_Word value;

    walk->file = NULL;
    walk->line = 0;
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &value) == 0 && dwarf_getsrcfiles(unit, &files, NULL) == 0)
        walk->file = dwarf_filesrc(files, value, NULL, NULL);
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &value) == 0)
        walk->line = (int)value;
}

/* True: the debug information knew the function. */
static bool walk_scopes(struct walk *walk, Dwfl_Module *module, Dwarf_Addr address)
{
    Dwarf_Addr bias;
    Dwarf_Die *unit = dwfl_module_addrdie(module, address, &bias);
    Dwarf_Die *innermost = NULL, *scopes = NULL;
    int count = unit == NULL ? 0 : dwarf_getscopes(unit, address - bias, &innermost);
    bool found = false;

    /* Outside of an inlined function that list goes on where its source is; we want where it was called. */
    count = count <= 0 ? 0 : dwarf_getscopes_die(&innermost[0], &scopes);
    free(innermost);
    for (int i = 0; i < count && !found; i++) {
        int tag = dwarf_tag(&scopes[i]);

        if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram)
            continue;
        give(walk, die_name(&scopes[i]), is_artificial(&scopes[i]));
        found = tag == DW_TAG_subprogram;
        if (!found)
            go_out(walk, unit, &scopes[i]);
    }
    free(scopes);
    return found;
}

void symbols_at(struct symbols *symbols, uint64_t address, void (*each)(void *context, struct frame *frame), void *context)
{
    struct walk walk = {.symbols = symbols, .each = each, .context = context};
    Dwfl_Module *module = symbols == NULL || symbols->dwfl == NULL ? NULL : dwfl_addrmodule(symbols->dwfl, address - 1);
    Dwfl_Line *line;
    char unknown[32];

    if (module == NULL) {
        struct frame frame = {NULL, NULL, 0, NULL, false};

        snprintf(unknown, sizeof unknown, "0x%llx", (unsigned long long)address);
        frame.function = strdup(unknown);
        each(context, &frame);
        return;
    }
    walk.module = dwfl_module_info(module, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    line = dwfl_module_getsrc(module, address - 1);
    if (line != NULL)
        walk.file = dwfl_lineinfo(line, NULL, &walk.line, NULL, NULL, NULL);
    if (!walk_scopes(&walk, module, address - 1))
        give(&walk, dwfl_module_addrname(module, address - 1), false);
}
