/* SPDX-License-Identifier: MIT */
/* A program whose dlsym() allocates, as that of old C libraries and of tracers does: it is called while the shim looks for the next
   definitions, so that these are not there yet. */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <string.h>

#include "story.h"

#define ROOM 3000

__attribute__((visibility("default"))) void *dlsym(void *restrict handle, const char *restrict name);

static unsigned char *first, *second;
static unsigned char in_second[ROOM]; /* what was there to begin with */
static unsigned calls;

static void allocate(void)
{
    free(malloc(10));
    first = malloc(ROOM / 2);
    paint(first, ROOM / 2, 1);
    first = realloc(first, ROOM);
    second = calloc(ROOM, 1);
    memcpy(in_second, second, ROOM);
}

void *dlsym(void *restrict handle, const char *restrict name)
{
    static void *(*real)(void *, const char *);
    static void *libc;

    if (calls++ == 0) {
        allocate();
        libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
        for (int minor = 2; real == NULL && minor < 60; minor++) { /* the version of its symbol differs between machines */
            char version[32];

            snprintf(version, sizeof version, "GLIBC_2.%d", minor);
            *(void **)&real = dlvsym(libc, "dlsym", version);
            snprintf(version, sizeof version, "GLIBC_2.%d.5", minor);
            if (real == NULL)
                *(void **)&real = dlvsym(libc, "dlsym", version);
        }
    }
    return real(handle == RTLD_NEXT ? libc : handle, name);
}

static int memory_is_served(void)
{
    CHECK(calls > 20, "dlsym was called %u times: the shim did not use it", calls);
    CHECK(first != NULL && second != NULL, "there was no memory");
    CHECK(holds(first, ROOM / 2, 0, 1), "realloc lost bytes");
    CHECK(zero(in_second, ROOM), "calloc did not clear");
    return KEPT;
}

static int memory_lives_on(void)
{
    CHECK(malloc_usable_size(first) >= ROOM, "%zu bytes are usable", malloc_usable_size(first));
    first = realloc(first, 4 << 20);
    CHECK(holds(first, ROOM / 2, 0, 1), "realloc lost bytes");
    errno = 4321;
    free(first);
    free(second);
    CHECK(errno == 4321, "free changed errno to %d", errno);
    return KEPT;
}

int main(void)
{
    static const struct story stories[] = {
        {"dlsym may allocate while the shim looks for the next definitions", memory_is_served},
        {"what it got is resized and freed later", memory_lives_on},
    };

    return tell_all(stories, COUNT_OF(stories));
}
