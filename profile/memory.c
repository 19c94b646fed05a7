/* SPDX-License-Identifier: MIT */
#include "profile/memory.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profile/clock.h"
#include "profile/thrift.h"

#define LARGE ((size_t)32 << 20)
#define INTERVAL_STORES UINT64_C(2000000) /* asking each store takes longer */
#define MANY_PROBES ((size_t)4 << 20)

static uint64_t (*stores_of_shim)(void);
static uint64_t stores_at; /* when they were asked */
static struct purse for_measuring = {.share = 128, .gift = 5000000};
static uint64_t anon_now, stores_now, heap_now;
static bool fresh;
static size_t page_bytes = 4096;

void memory_init(uint64_t (*store_bytes)(void))
{
    stores_of_shim = store_bytes;
    page_bytes = (size_t)sysconf(_SC_PAGESIZE);
}

void memory_after_fork(void)
{
    purse_refill(&for_measuring);
}

static long read_file(const char *path, char *text, size_t size)
{
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    long length;

    if (fd < 0)
        return -1;
    length = syscall(SYS_read, fd, text, size - 1);
    syscall(SYS_close, fd);
    if (length >= 0)
        text[length] = '\0';
    return length;
}

static const char *read_number(const char *text, uint64_t *number)
{
    while (*text == ' ')
        text++;
    for (*number = 0; *text >= '0' && *text <= '9'; text++)
        *number = *number * 10 + (uint64_t)(*text - '0');
    return text;
}

/* statm: size, resident, and of that what belongs to files and shared memory. */
void memory_measure(size_t block)
{
    uint64_t now = clock_now();
    uint64_t all, resident, shared;
    char text[128];

    if (block < LARGE && !purse_affords(&for_measuring))
        return;
    if (read_file("/proc/self/statm", text, sizeof text) <= 0)
        return;
    read_number(read_number(read_number(text, &all), &resident), &shared);
    anon_now = resident > shared ? (resident - shared) * page_bytes : 1;
    if (stores_of_shim != NULL && now - stores_at >= INTERVAL_STORES) {
        stores_at = now;
        stores_now = stores_of_shim();
    }
    heap_now = (uint64_t)syscall(SYS_brk, 0L);
    fresh = true;
    purse_pay(&for_measuring, now);
}

void memory_figures(uint64_t *anon, uint64_t *stores, uint64_t *heap)
{
    *anon = fresh ? anon_now : 0;
    *stores = fresh ? stores_now : 0;
    *heap = fresh ? heap_now : 0;
    fresh = false;
}

/* The 47th of the words in stat; the second, the program's name in brackets, may have blanks. */
uint64_t memory_heap_start(void)
{
    char text[1024];
    uint64_t start = 0;
    const char *at = read_file("/proc/self/stat", text, sizeof text) <= 0 ? NULL : strrchr(text, ')');

    for (int word = 2; at != NULL && word < 47; word++)
        at = strchr(at + 1, ' ');
    if (at != NULL)
        read_number(at, &start);
    return start;
}

void memory_probe(uintptr_t start, size_t size, uint32_t *probes, uint32_t *filled)
{
    size_t pages = size / page_bytes;
    unsigned count = size < MANY_PROBES ? 2 : 8;

    *probes = *filled = 0;
    for (unsigned i = 0; i < count; i++) {
        uintptr_t page = start + pages * (2 * i + 1) / (2 * count) * page_bytes;
        unsigned char there;

        if (syscall(SYS_mincore, page & ~(page_bytes - 1), page_bytes, &there) != 0)
            continue;
        ++*probes;
        *filled += there & 1;
    }
}
