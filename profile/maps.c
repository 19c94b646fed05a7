/* SPDX-License-Identifier: MIT */
#include "profile/maps.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profile/trail.h"

#define RANGES 1024
#define PIECE 16000
#define SNAPSHOTS 64 /* code that is made at run time is in no file, however often we look */

static struct {
    uintptr_t start, end;
} ranges[RANGES];
static unsigned range_count, snapshots;

void maps_after_fork(void)
{
    range_count = snapshots = 0;
}

static bool known(uintptr_t address)
{
    for (unsigned i = 0; i < range_count; i++)
        if (address >= ranges[i].start && address < ranges[i].end)
            return true;
    return false;
}

static const char *read_hex(const char *text, uintptr_t *number)
{
    for (*number = 0;; text++) {
        if (*text >= '0' && *text <= '9')
            *number = *number * 16 + (uintptr_t)(*text - '0');
        else if (*text >= 'a' && *text <= 'f')
            *number = *number * 16 + (uintptr_t)(*text - 'a' + 10);
        else
            return text;
    }
}

/* START-END rwxp ...: executable ones are remembered. */
static void remember(const char *line)
{
    uintptr_t start, end;

    line = read_hex(line, &start);
    line = read_hex(line + 1, &end);
    if (line[3] != 'x' || range_count == RANGES)
        return;
    ranges[range_count].start = start;
    ranges[range_count++].end = end;
}

/* One whole number of lines. */
static bool put_piece(const char *text, size_t length, bool first)
{
    struct trail_maps *event = trail_add(sizeof *event + length);

    if (event == NULL)
        return false;
    event->length = length;
    memcpy(event + 1, text, length);
    trail_finish(event, TRAIL_MAPS, first ? TRAIL_FIRST : 0);
    for (size_t at = 0; at < length; at += strcspn(text + at, "\n") + 1)
        remember(text + at);
    return true;
}

static void put_all(int fd)
{
    static char text[PIECE + 1];
    size_t kept = 0;
    bool first = true;

    for (;;) {
        long got = syscall(SYS_read, fd, text + kept, PIECE - kept);
        size_t whole;

        if (got <= 0)
            return;
        kept += (size_t)got;
        for (whole = kept; whole > 0 && text[whole - 1] != '\n'; whole--)
            ;
        text[kept] = '\0';
        if (whole == 0 || !put_piece(text, whole, first))
            return;
        first = false;
        memmove(text, text + whole, kept - whole);
        kept -= whole;
    }
}

bool maps_cover(const uintptr_t *addresses, unsigned count)
{
    unsigned covered = 0;
    int fd;

    while (covered < count && known(addresses[covered]))
        covered++;
    if (covered == count || snapshots == SNAPSHOTS)
        return false;
    fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return false;
    snapshots++;
    range_count = 0;
    put_all(fd);
    syscall(SYS_close, fd);
    return true;
}
