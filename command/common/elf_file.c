/* SPDX-License-Identifier: MIT */
#include "command/common/elf_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef DF_1_PIE
#define DF_1_PIE 0x08000000
#endif

#define OWN_CLASS (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)
#define OWN_DATA (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB)

/* The whole file; nothing in it is believed before in_image() has seen the bounds. */
struct image {
    const unsigned char *bytes;
    size_t size;
};

static const void *in_image(const struct image *image, uint64_t offset, uint64_t size)
{
    return offset <= image->size && size <= image->size - offset ? image->bytes + offset : NULL;
}

static const ElfW(Phdr) *program_headers(const struct image *image, unsigned *count)
{
    const ElfW(Ehdr) *header = in_image(image, 0, sizeof *header);

    if (header == NULL || header->e_phentsize != sizeof(ElfW(Phdr)) || header->e_phoff % sizeof(ElfW(Addr)) != 0)
        return NULL;
    *count = header->e_phnum;
    return in_image(image, header->e_phoff, (uint64_t)header->e_phnum * sizeof(ElfW(Phdr)));
}

static const ElfW(Phdr) *find_segment(const struct image *image, uint32_t type)
{
    unsigned count;
    const ElfW(Phdr) *segment = program_headers(image, &count);

    for (; segment != NULL && count > 0; segment++, count--)
        if (segment->p_type == type)
            return segment;
    return NULL;
}

/* The bytes that lie at an address once the program is loaded. */
static const void *at_address(const struct image *image, ElfW(Addr) address, uint64_t size)
{
    unsigned count;
    const ElfW(Phdr) *segment = program_headers(image, &count);

    for (; segment != NULL && count > 0; segment++, count--)
        if (segment->p_type == PT_LOAD && address >= segment->p_vaddr && address - segment->p_vaddr < segment->p_filesz)
            return in_image(image, segment->p_offset + (address - segment->p_vaddr), size);
    return NULL;
}

/* The value of an entry of the dynamic section; false if there is none. */
static bool dynamic_value(const struct image *image, ElfW(Sxword) tag, ElfW(Xword) *value)
{
    const ElfW(Phdr) *segment = find_segment(image, PT_DYNAMIC);
    const ElfW(Dyn) *entry;

    if (segment == NULL || segment->p_offset % sizeof(ElfW(Addr)) != 0)
        return false;
    entry = in_image(image, segment->p_offset, segment->p_filesz);
    if (entry == NULL)
        return false;
    for (size_t left = segment->p_filesz / sizeof *entry; left > 0 && entry->d_tag != DT_NULL; left--, entry++)
        if (entry->d_tag == tag) {
            *value = entry->d_un.d_val;
            return true;
        }
    return false;
}

/* By the symbol that each run-time library's users ask for, or bring along: found in the table of dynamic names. Only
   those that replace the allocator count. */
static const char *find_sanitizer(const struct image *image)
{
    static const struct {
        const char symbol[16];
        const char *name;
    } known[] = {
        {"__asan_init", "AddressSanitizer"},
        {"__hwasan_init", "HWAddressSanitizer"},
        {"__msan_init", "MemorySanitizer"},
        {"__tsan_init", "ThreadSanitizer"},
    };
    ElfW(Xword) address, size;
    const char *names;

    if (!dynamic_value(image, DT_STRTAB, &address) || !dynamic_value(image, DT_STRSZ, &size))
        return NULL;
    names = at_address(image, address, size);
    for (unsigned i = 0; names != NULL && i < sizeof known / sizeof known[0]; i++)
        if (memmem(names, size, known[i].symbol, strlen(known[i].symbol) + 1) != NULL)
            return known[i].name;
    return NULL;
}

/* No loader is named. ld.so itself looks like that too, and started by name it does preload; only it has a name of its
   own. */
static bool lacks_loader(const struct image *image)
{
    ElfW(Xword) value;

    return find_segment(image, PT_INTERP) == NULL && !dynamic_value(image, DT_SONAME, &value);
}

static void read_loader(const struct image *image, char loader[256])
{
    const ElfW(Phdr) *segment = find_segment(image, PT_INTERP);
    const char *name = segment != NULL ? in_image(image, segment->p_offset, segment->p_filesz) : NULL;

    if (name != NULL)
        snprintf(loader, 256, "%.*s", segment->p_filesz < 256 ? (int)segment->p_filesz : 255, name);
}

static int read_image(const struct image *image, struct elf_file *file)
{
    /* As far as e_machine, both classes are alike. */
    const Elf32_Ehdr *header = in_image(image, 0, offsetof(Elf32_Ehdr, e_version));
    unsigned count;

    if (header == NULL || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
        return -ENOEXEC;
    memset(file, 0, sizeof *file);
    file->class = header->e_ident[EI_CLASS];
    file->data = header->e_ident[EI_DATA];
    file->machine = header->e_machine;
    if (file->data != OWN_DATA)
        file->machine = (uint16_t)(file->machine >> 8 | file->machine << 8);
    if (file->class != OWN_CLASS || file->data != OWN_DATA)
        return 0;
    if (program_headers(image, &count) == NULL)
        return -ENOEXEC;
    file->is_static = lacks_loader(image);
    file->sanitizer = find_sanitizer(image);
    read_loader(image, file->loader);
    return 0;
}

int elf_read(const char *path, struct elf_file *file)
{
    struct image image;
    struct stat status;
    void *bytes;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int result;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0) {
        close(fd);
        return -ENOEXEC;
    }
    image.size = (size_t)status.st_size;
    bytes = mmap(NULL, image.size, PROT_READ, MAP_PRIVATE, fd, 0);
    result = bytes == MAP_FAILED ? -errno : 0;
    close(fd);
    if (result != 0)
        return result;
    image.bytes = bytes;
    result = read_image(&image, file);
    munmap(bytes, image.size);
    return result;
}

bool elf_same_machine(const struct elf_file *a, const struct elf_file *b)
{
    return a->class == b->class && a->data == b->data && a->machine == b->machine;
}

const char *elf_machine_name(const struct elf_file *file, char text[48])
{
    static const struct {
        uint16_t machine;
        const char *name;
    } known[] = {
        {EM_386, "i386"},     {EM_X86_64, "x86-64"},   {EM_ARM, "arm"},   {EM_AARCH64, "aarch64"},
        {EM_RISCV, "risc-v"}, {EM_PPC64, "powerpc64"}, {EM_S390, "s390"}, {EM_MIPS, "mips"},
    };
    int bits = file->class == ELFCLASS64 ? 64 : 32;

    for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].machine == file->machine) {
            snprintf(text, 48, "%d-bit %s", bits, known[i].name);
            return text;
        }
    snprintf(text, 48, "%d-bit ELF machine %u", bits, (unsigned)file->machine);
    return text;
}
