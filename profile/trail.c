/* SPDX-License-Identifier: MIT */
#include "profile/trail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profile/clock.h"
#include "profile/memory.h"

#define LONGEST ((size_t)1 << 30)

static struct {
    char folder[3072];
    char path[4096];
    bool open, cut;
    char *window;
    size_t window_size, used;
    size_t offset; /* of the window in the file */
} trail;

void trail_init(const char *folder)
{
    snprintf(trail.folder, sizeof trail.folder, "%s", folder);
}

bool trail_is_open(void)
{
    return trail.open;
}

/* Reserved where the file system can, not only sized: a write to a mapping that the disk has no room for would kill the program. */
static int reserve(size_t end)
{
    struct rlimit limit;
    int fd;

    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur < end || end > LONGEST)
        return -1;
    fd = (int)syscall(SYS_openat, AT_FDCWD, trail.path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && syscall(SYS_fallocate, fd, 0, (off_t)trail.offset, (off_t)(end - trail.offset)) != 0 &&
        (errno != EOPNOTSUPP || syscall(SYS_ftruncate, fd, (off_t)end) != 0)) {
        syscall(SYS_close, fd);
        fd = -1;
    }
    return fd;
}

static void close_window(void)
{
    if (trail.window != NULL)
        syscall(SYS_munmap, trail.window, trail.window_size);
    trail.window = NULL;
}

static bool open_window(size_t size)
{
    int fd = reserve(trail.offset + size);
    long mapped;

    if (fd < 0)
        return false;
    mapped = syscall(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)trail.offset);
    syscall(SYS_close, fd);
    if (mapped == -1)
        return false;
    trail.window = (char *)mapped;
    trail.window_size = size;
    trail.used = 0;
    return true;
}

bool trail_open(void)
{
    if (trail.cut)
        return false;
    snprintf(trail.path, sizeof trail.path, "%s/%ld-%llu" TRAIL_SUFFIX, trail.folder, syscall(SYS_getpid), (unsigned long long)clock_now());
    trail.offset = 0;
    trail.open = open_window(TRAIL_FIRST_WINDOW);
    trail.cut = !trail.open;
    return trail.open;
}

/* The mapping is the parent's file. */
void trail_after_fork(void)
{
    close_window();
    trail.open = false;
    trail.cut = false;
}

static void put_short(enum trail_type type)
{
    struct trail_event *event = (struct trail_event *)(void *)(trail.window + trail.used);

    event->size = sizeof *event;
    trail_finish(event, type, 0);
}

/* The rest of the window is left; there is always room for one bare event. */
static bool next_window(void)
{
    char *old = trail.window;
    size_t old_size = trail.window_size;
    size_t used = trail.used;

    trail.offset += old_size;
    if (!open_window(TRAIL_WINDOW)) {
        trail.offset -= old_size;
        put_short(TRAIL_CUT);
        trail.cut = true;
        return false;
    }
    ((struct trail_event *)(void *)(old + used))->type = TRAIL_SKIP;
    syscall(SYS_munmap, old, old_size);
    return true;
}

void *trail_add(size_t size)
{
    struct trail_event *event;

    size = (size + 7) & ~(size_t)7;
    if (!trail.open || trail.cut)
        return NULL;
    if (trail.window_size - trail.used < size + sizeof *event && !next_window())
        return NULL;
    event = (struct trail_event *)(void *)(trail.window + trail.used);
    event->size = (uint32_t)size;
    event->time = clock_now();
    memory_figures(&event->anon, &event->stores, &event->heap);
    trail.used += size;
    return event;
}

void trail_finish(void *added, enum trail_type type, unsigned flags)
{
    struct trail_event *event = added;

    event->flags = (uint16_t)flags;
    __atomic_store_n(&event->type, (uint16_t)type, __ATOMIC_RELEASE);
}
