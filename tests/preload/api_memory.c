/* SPDX-License-Identifier: MIT */
/* Registered memory of every kind is shared and is what it was: arrays of the program and of libraries, files, chunks of allocators,
   with threads and children. */
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "registered.h"

static unsigned char bss[SIZE + PAGE];
static unsigned char data[SIZE + PAGE] = {1};

static int tell_copies(void)
{
    PAIR(a, b);

    a[7] ^= 1;
    b[5 * PAGE] ^= 1;
    CHECK(b[7] == pattern(7, 5) && a[5 * PAGE] == pattern(5 * PAGE, 5), "a write is seen by the other");
    a[7] ^= 1;
    b[5 * PAGE] ^= 1;
    CHECK(holds(a, SIZE, 0, 5) && holds(b, SIZE, 0, 5), "wrong bytes");
    CHECK(cowshim_unregister(b, SIZE) == 0, "%s", strerror(errno));
    CHECK(!shows_store(b, SIZE) && holds(b, SIZE, 0, 5), "unregistered memory still shows a store");
    drop_pair(a, b);
    CHECK(registered() == 0, "registrations are left");
    return KEPT;
}

/* An array that is not aligned, whose neighbours in the page must not change. */
static int share_static(unsigned char *array, const char *what)
{
    size_t size = SIZE + PAGE - 2;
    unsigned char *target = realloc(NULL, 3 * SIZE);
    struct cowshim_pages pages;
    bool told;

    paint(array + 1, size, 9);
    array[0] = 77;
    array[size + 1] = 78;
    CHECK(cowshim_register(array + 1, size, 0) == 0, "%s: register: %s", what, strerror(errno));
    CHECK(holds(array + 1, size, 0, 9) && array[0] == 77 && array[size + 1] == 78, "%s: registering changed it", what);
    CHECK(cowshim_residency(array + 1, size, &pages) == 0 && pages.shared_bytes < 2 * PAGE, "%s: pages of a file are left", what);
    told = cowshim_register(target, SIZE, 0) == 0;
    CHECK(told || errno == EEXIST, "%s", strerror(errno)); /* it is a block already, but with COWSHIM_MODE=registered */
    {
        /* Congruent with the array. */
        unsigned char *to = target + ((uintptr_t)(array + 1) - (uintptr_t)target) % PAGE;
        ssize_t got = cowshim_copy(to, array + 1, SIZE - PAGE, COWSHIM_ALLOW_PLAIN);

        CHECK(got >= (ssize_t)(SIZE - 4 * PAGE), "%s: %zd bytes shared", what, got);
        CHECK(holds(to, SIZE - PAGE, 0, 9), "%s: the copy is wrong", what);
        array[1 + 3 * PAGE] ^= 1;
        CHECK(holds(to, SIZE - PAGE, 0, 9), "%s: the copy sees a write", what);
        array[1 + 3 * PAGE] ^= 1;
    }
    CHECK(!told || cowshim_unregister(target, SIZE) == 0, "%s: unregister: %s", what, strerror(errno));
    free(target);
    CHECK(cowshim_unregister(array + 1, size) == 0, "%s: unregister: %s", what, strerror(errno));
    CHECK(holds(array + 1, size, 0, 9) && array[0] == 77 && array[size + 1] == 78, "%s: unregistering changed it", what);
    return KEPT;
}

static int tell_static_arrays(void)
{
    return share_static(bss, ".bss") == KEPT && share_static(data, ".data") == KEPT ? KEPT : BROKEN;
}

static int tell_file_mapping(void)
{
    int fd = memfd_create("story", 0);
    unsigned char *memory, *copy;

    CHECK(ftruncate(fd, (off_t)SIZE) == 0, "%s", strerror(errno));
    memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    paint(memory, SIZE, 4);
    munmap(memory, SIZE);
    memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    memory[3 * PAGE] ^= 1;
    CHECK(cowshim_register(memory, SIZE, 0) == 0, "%s", strerror(errno));
    CHECK(!shows_store(memory, SIZE), "the file is still mapped");
    memory[3 * PAGE] ^= 1;
    CHECK(holds(memory, SIZE, 0, 4), "pages of the file that were never written are not what they were");
    copy = cowshim_dup(memory, SIZE);
    CHECK(shared(copy, SIZE) == SIZE && holds(copy, SIZE, 0, 4), "the copy is wrong or not shared");
    free(copy);
    munmap(memory, SIZE);
    close(fd);
    return KEPT;
}

/* The chunk of an allocator is registered; the allocator gets it back, through free, realloc, and by carving blocks out of it. */
static int tell_allocator(void)
{
    unsigned char *a = map(5);
    unsigned char *chunk = aligned_alloc(PAGE, 128 * PAGE);
    unsigned char *more;

    paint(chunk, 128 * PAGE, 6);
    CHECK(cowshim_register(a, SIZE, 0) == 0 && cowshim_register(chunk, 128 * PAGE, 0) == 0, "%s", strerror(errno));
    CHECK(malloc_usable_size(chunk) >= 128 * PAGE, "malloc_usable_size");
    CHECK(cowshim_copy(chunk, a, 128 * PAGE, COWSHIM_REQUIRE) > 0, "%s", strerror(errno));
    more = realloc(chunk, 130 * PAGE);
    CHECK(more != NULL && holds(more, 128 * PAGE, 0, 5), "realloc lost the contents");
    memset(more, 1, 130 * PAGE);
    CHECK(holds(a, SIZE, 0, 5), "the source changed");
    CHECK(registered() == 1, "realloc left a registration");
    free(more);
    chunk = aligned_alloc(PAGE, 128 * PAGE);
    CHECK(cowshim_register(chunk, 128 * PAGE, 0) == 0, "%s", strerror(errno));
    CHECK(cowshim_copy(chunk, a, 128 * PAGE, COWSHIM_REQUIRE) > 0, "%s", strerror(errno));
    free(chunk);
    CHECK(registered() == 1, "free left a registration");
    for (int i = 0; i < 100; i++) {
        unsigned char *block = calloc(1, 128 * PAGE);

        CHECK(zero(block, 128 * PAGE), "calloc is not zero");
        memset(block, 9, 128 * PAGE);
        free(block);
    }
    drop_pair(a, map(0));
    return KEPT;
}

static int tell_library(void)
{
    char path[4096];
    unsigned char *copy, *array = NULL;

    for (int round = 0; round < 3; round++) {
        void *library;

        snprintf(path, sizeof path, "%s/api_library.so", getenv("STORY_LIBRARIES"));
        library = dlopen(path, RTLD_NOW);
        CHECK(library != NULL, "%s", dlerror());
        array = dlsym(library, "api_library_array");
        CHECK(zero(array, SIZE), "its .bss is not zero in round %d", round);
        paint(array, SIZE, 5);
        CHECK(cowshim_register(array, SIZE, 0) == 0, "%s", strerror(errno));
        copy = cowshim_dup(array, SIZE);
        CHECK(shared(copy, SIZE) >= SIZE - 2 * PAGE, "the copy is not shared");
        dlclose(library);
        CHECK(holds(copy, SIZE, 0, 5), "the copy changed when the library went");
        CHECK(cowshim_copy(copy, array, SIZE, COWSHIM_REQUIRE) == -1, "a copy from memory that is gone");
        free(copy);
    }
    /* Nothing came to where the last one was. */
    CHECK(cowshim_unregister(array, SIZE) == 0 || errno == ENOENT, "unregister: %s", strerror(errno));
    CHECK(registered() == 0, "a registration of memory that is gone is left");
    return KEPT;
}

static int tell_fork(void)
{
    PAIR(a, b);
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        b[0] ^= 1;
        munmap(a, SIZE);
        _exit(cowshim_unregister(b, SIZE) == 0 && holds(b + 1, SIZE - 1, 1, 5) && registered() == 0 ? 0 : 1);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0, "the child ended with %x", status);
    CHECK(holds(a, SIZE, 0, 5) && holds(b, SIZE, 0, 5) && registered() == 2, "the child's doings are seen in the parent");
    drop_pair(a, b);
    return KEPT;
}

static unsigned char *race_memory;
static _Atomic int races_end;

/* Each thread owns its part; the registration changes under them all. */
static void *race(void *argument)
{
    size_t part = (size_t)argument;
    unsigned char *mine = race_memory + part * 128 * PAGE;
    unsigned char *copy = cowshim_dup(mine, SIZE / 4);
    long wrong = 0;

    for (unsigned salt = 1; races_end == 0; salt++) {
        paint(mine, 64 * PAGE, salt);
        cowshim_copy(copy, mine, 64 * PAGE, COWSHIM_ALLOW_PLAIN);
        cowshim_copy(mine + 64 * PAGE, mine, 64 * PAGE, COWSHIM_ALLOW_PLAIN);
        mine[5 * PAGE] ^= 1;
        wrong += !holds(copy, 64 * PAGE, 0, salt) || !holds(mine + 64 * PAGE, 64 * PAGE, 0, salt);
        if (salt % 3 == 0)
            madvise(mine + 64 * PAGE, 64 * PAGE, MADV_DONTNEED);
    }
    free(copy);
    return (void *)wrong;
}

static int tell_races(void)
{
    pthread_t threads[4];
    long wrong = 0;

    race_memory = map(0);
    for (size_t i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, race, (void *)i) == 0, "no thread");
    for (int i = 0; i < 60; i++) {
        size_t from = (size_t)i * 17 % 256 * PAGE;

        cowshim_register(race_memory + from, SIZE / 2, 0);
        cowshim_seal(race_memory, SIZE / 2);
        if (i % 4 == 0)
            cowshim_register(race_memory, SIZE, 0);
        if (i % 8 == 0 && fork() == 0)
            _exit(cowshim_unregister(race_memory, SIZE) != 0 && errno != ENOENT);
        cowshim_unregister(race_memory, SIZE);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            continue;
    }
    races_end = 1;
    for (size_t i = 0; i < 4; i++) {
        void *result;

        pthread_join(threads[i], &result);
        wrong += (long)result;
    }
    CHECK(wrong == 0, "%ld copies were wrong", wrong);
    CHECK(registered() == 0, "registrations are left");
    munmap(race_memory, SIZE);
    return KEPT;
}

static int tell_hints(void)
{
    unsigned char *a = aligned_alloc(PAGE, SIZE);
    unsigned char *b = aligned_alloc(PAGE, SIZE);

    paint(a, SIZE, 5);
    CHECK(cowshim_register(a, SIZE, 0) == 0 && cowshim_register(b, SIZE, 0) == 0, "%s", strerror(errno));
    CHECK(cowshim_exclude(a + 9, 1) == 0, "%s", strerror(errno));
    memcpy(b, a, SIZE);
    CHECK(!shows_store(b, SIZE) && holds(b, SIZE, 0, 5), "a copy of an excluded block is shared");
    CHECK(cowshim_copy(b, a, SIZE, COWSHIM_ALLOW_PLAIN) == 0, "also by name");
    cowshim_include(a, SIZE);
    CHECK(cowshim_seal(a, SIZE) >= (ssize_t)(SIZE - 2 * PAGE) && shared(a, SIZE) >= SIZE - 2 * PAGE, "seal: %s", strerror(errno));
    memcpy(b, a, SIZE);
    CHECK(shows_store(b, SIZE), "a copy of an included block is not shared");
    cowshim_unregister(a, SIZE);
    cowshim_unregister(b, SIZE);
    free(a);
    free(b);
    return KEPT;
}

int main(void)
{
    static const struct story stories[] = {
        {"registered memory is shared, and private again when unregistered", tell_copies},
        {"static arrays in .bss and .data, aligned to nothing, are shared and keep their neighbours", tell_static_arrays},
        {"a private mapping of a file keeps the file's bytes where it was never written", tell_file_mapping},
        {"an allocator's chunk can be freed and resized while it is registered", tell_allocator},
        {"a library's .bss may go with its library", tell_library},
        {"a child's registrations are its own", tell_fork},
        {"registering and unregistering under threads that copy, with forks, loses nothing", tell_races},
        {"exclude, include and seal do what they say", tell_hints},
    };

    return tell_all(stories, COUNT_OF(stories));
}
