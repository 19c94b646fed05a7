/* SPDX-License-Identifier: MIT */
#include "kernel/vma_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "base/bytes.h"
#include "base/sys.h"
#include "kernel/procfile.h"

#include "base/poison.h"

static const struct {
    char word[4];
    unsigned mark;
} marks_of_words[] = {
    {" lo", VMA_LOCKED},  {" gd", VMA_STACK}, {" ht", VMA_SPECIAL}, {" io", VMA_SPECIAL}, {" pf", VMA_SPECIAL}, {" um", VMA_SPECIAL},
    {" uw", VMA_SPECIAL}, {" dc", VMA_KEPT},  {" dd", VMA_KEPT},    {" wf", VMA_KEPT},    {" mg", VMA_KEPT},
};

int vma_text_begin(struct vma_text *text, bool with_marks)
{
    text->fd = -1;
    text->next = 0;
    text->at = 0;
    text->length = 0;
    text->cut = false;
    if (with_marks)
        text->fd = (int)SYS(SYS_openat, AT_FDCWD, "/proc/self/smaps", O_RDONLY | O_CLOEXEC);
    return with_marks && text->fd < 0 ? text->fd : 0;
}

void vma_text_end(struct vma_text *text)
{
    if (text->fd >= 0)
        SYS_MUST(SYS_close, text->fd);
}

/* Fills the buffer, beginning with the first line that was not taken whole. */
static int fill(struct vma_text *text)
{
    int fd = text->fd >= 0 ? text->fd : procfile_use(PROCFILE_MAPS);
    long got = fd < 0 ? fd : SYS(SYS_pread64, fd, text->text, sizeof text->text - 1, text->next);

    if (got <= 0)
        return got < 0 ? (int)got : -ENOENT;
    text->length = (size_t)got;
    text->text[got] = '\0';
    text->at = 0;
    return 0;
}

/* Takes the rest of the line from the buffer. If the line does not end there, takes all that is in the buffer and notes that the line
   was cut. */
static char *take(struct vma_text *text)
{
    char *line = text->text + text->at;
    char *end = strchr(line, '\n');

    text->cut = end == NULL;
    if (end == NULL)
        end = text->text + text->length - 1;
    *end = '\0';
    text->next += (size_t)(end + 1 - line);
    text->at = (size_t)(end + 1 - text->text);
    return line;
}

static bool has_line(const struct vma_text *text)
{
    return text->at < text->length && strchr(text->text + text->at, '\n') != NULL;
}

/* Gives the next line, terminated by a NUL; of a line that is longer than the buffer only the beginning. It is valid until the next
   call. */
static int next_line(struct vma_text *text, char **line)
{
    bool rest;

    do {
        int error = has_line(text) ? 0 : fill(text);

        if (error != 0)
            return error;
        rest = text->cut;
        *line = take(text);
    } while (rest);
    return 0;
}

/* start-end rwxp offset major:minor inode name */
static bool parse(char *line, struct vma *vma)
{
    unsigned major, minor;
    char *flags;

    vma->start = strtoul(line, &line, 16);
    if (*line != '-')
        return false;
    vma->end = strtoul(line + 1, &line, 16);
    flags = line + 1;
    if (*line != ' ' || strlen(flags) < 5)
        return false;
    vma->readable = flags[0] == 'r';
    vma->writable = flags[1] == 'w';
    vma->executable = flags[2] == 'x';
    vma->shared = flags[3] == 's';
    vma->offset = strtoul(flags + 4, &line, 16);
    major = (unsigned)strtoul(line, &line, 16);
    minor = (unsigned)strtoul(line + 1, &line, 16);
    vma->device = makedev(major, minor);
    vma->inode = strtoul(line, &line, 10);
    return true;
}

static unsigned read_marks(const char *line)
{
    unsigned marks = 0;

    for (size_t i = 0; i < sizeof marks_of_words / sizeof *marks_of_words; i++)
        if (strstr(line, marks_of_words[i].word) != NULL)
            marks |= marks_of_words[i].mark;
    return marks;
}

int vma_text_next(struct vma_text *text, struct vma *vma, unsigned *marks)
{
    char *line;
    int error;

    do
        error = next_line(text, &line);
    while (error == 0 && !parse(line, vma));
    *marks = 0;
    if (error != 0 || text->fd < 0)
        return error;
    do
        error = next_line(text, &line);
    while (error == 0 && strncmp(line, "VmFlags:", 8) != 0);
    if (error == 0)
        *marks = read_marks(line + 8);
    return error == -ENOENT ? -ENOSYS : error;
}

bool vma_text_shows(dev_t device, ino_t inode, uint64_t start, uint64_t end)
{
    struct vma_text text;
    struct vma vma;
    unsigned marks;
    int error;

    vma_text_begin(&text, false);
    while ((error = vma_text_next(&text, &vma, &marks)) == 0)
        if (vma.inode == inode && vma.device == device && vma.offset < end && vma.offset + (vma.end - vma.start) > start)
            return true;
    return error != -ENOENT;
}

void vma_walk_begin(struct vma_walk *walk)
{
    walk->any = false;
    vma_text_begin(&walk->text, false);
}

int vma_walk_at(struct vma_walk *walk, uintptr_t address, struct vma *vma)
{
    unsigned marks;

    if (vma_available())
        return vma_query(address, vma);
    while (!walk->any || walk->vma.end <= address) {
        int error = vma_text_next(&walk->text, &walk->vma, &marks);

        walk->any = error == 0;
        if (error != 0)
            return error;
    }
    if (walk->vma.start > address)
        return -ENOENT;
    bytes_copy(vma, &walk->vma, sizeof *vma);
    return 0;
}
