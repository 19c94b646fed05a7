/* SPDX-License-Identifier: MIT */
/* Registered memory lives the program's life: it is unmapped, moved, protected, emptied, freed, given away by libraries and
   allocators, through libc and behind its back. Contents are right at every step, and so is what the kernel was told. */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cowshim.h"
#include "instruction.h"
#include "story.h"

#define PAGE ((size_t)4096)
#define SIZE (512 * PAGE)

static unsigned char bss[SIZE + PAGE];
static unsigned char data[SIZE + PAGE] = {1};

static unsigned char *map(unsigned salt)
{
    unsigned char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (salt != 0)
        paint(memory, SIZE, salt);
    return memory;
}

static uint64_t shared(const void *memory, size_t size)
{
    struct cowshim_pages pages;

    return cowshim_residency(memory, size, &pages) == 0 ? pages.shared_bytes : UINT64_MAX;
}

static uint64_t registered(void)
{
    struct cowshim_figures figures;

    return cowshim_stats(&figures, sizeof figures) == 0 ? figures.registered : UINT64_MAX;
}

/* Two registered mappings, the second a shared copy of the first. */
static int make_pair(unsigned char **first, unsigned char **second)
{
    *first = map(5);
    *second = map(0);
    CHECK(cowshim_register(*first, SIZE, 0) == 0 && cowshim_register(*second, SIZE, 0) == 0, "register: %s", strerror(errno));
    CHECK(cowshim_copy(*second, *first, SIZE, COWSHIM_REQUIRE) == (ssize_t)SIZE, "copy: %s", strerror(errno));
    CHECK(shared(*second, SIZE) == SIZE, "the copy is not shared");
    return KEPT;
}

static void drop_pair(unsigned char *first, unsigned char *second)
{
    cowshim_unregister(first, SIZE);
    cowshim_unregister(second, SIZE);
    munmap(first, SIZE);
    munmap(second, SIZE);
}

#define PAIR(first, second) \
    unsigned char *first, *second; \
    if (make_pair(&first, &second) != KEPT) \
    return BROKEN

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
    unsigned char *target = map(0);
    struct cowshim_pages pages;

    paint(array + 1, size, 9);
    array[0] = 77;
    array[size + 1] = 78;
    CHECK(cowshim_register(array + 1, size, 0) == 0, "%s: register: %s", what, strerror(errno));
    CHECK(holds(array + 1, size, 0, 9) && array[0] == 77 && array[size + 1] == 78, "%s: registering changed it", what);
    CHECK(cowshim_residency(array + 1, size, &pages) == 0 && pages.shared_bytes < 2 * PAGE, "%s: pages of a file are left", what);
    target = realloc(NULL, 3 * SIZE);
    CHECK(cowshim_register(target, SIZE, 0) == 0 || errno == EEXIST, "%s", strerror(errno));
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

static int tell_unmapped(void)
{
    PAIR(a, b);

    munmap(b + 64 * PAGE, 64 * PAGE);
    CHECK(registered() == 3, "a hole in the middle leaves two registrations of three, there are %lu", (unsigned long)registered());
    CHECK(holds(b, 64 * PAGE, 0, 5) && holds(b + 128 * PAGE, SIZE - 128 * PAGE, 128 * PAGE, 5), "the rest changed");
    /* Both rests still share, and what is mapped into the hole is the program's alone. */
    CHECK(mmap(b + 64 * PAGE, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED,
          "%s", strerror(errno));
    CHECK(zero(b + 64 * PAGE, 64 * PAGE), "new memory is not zero");
    CHECK(cowshim_copy(b + 128 * PAGE, a + 256 * PAGE, 128 * PAGE, COWSHIM_REQUIRE) > 0, "the right rest: %s", strerror(errno));
    CHECK(cowshim_copy(b, a + 256 * PAGE, 64 * PAGE, COWSHIM_REQUIRE) > 0, "the left rest: %s", strerror(errno));
    CHECK(cowshim_copy(b + 64 * PAGE, a, PAGE * 8, COWSHIM_REQUIRE) == -1 && errno == ENOENT, "the hole is a block still");
    CHECK(zero(b + 64 * PAGE, 64 * PAGE), "somebody wrote into the hole");
    drop_pair(a, b);
    CHECK(registered() == 0, "registrations are left");
    return KEPT;
}

static void map_at(unsigned char *place)
{
    if (INSTRUCTION(SYS_mmap, (long)place, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != (long)place)
        puts("# no mapping");
}

#define BY_INSTRUCTION \
    if (!HAVE_INSTRUCTION) { \
        puts("# no system call instruction written for this machine"); \
        return SKIPPED; \
    }

static int tell_unmapped_raw(void)
{
    BY_INSTRUCTION
    PAIR(a, b);
    int fd = memfd_create("story", 0);

    INSTRUCTION(SYS_munmap, (long)b, SIZE);
    CHECK(cowshim_copy(b, a, SIZE, COWSHIM_REQUIRE) == -1 && errno == ESTALE, "a copy to memory that is gone: %s", strerror(errno));
    CHECK(ftruncate(fd, (off_t)SIZE) == 0, "%s", strerror(errno));
    /* A mapping that others may see takes the place. */
    CHECK((unsigned char *)INSTRUCTION(SYS_mmap, (long)b, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == b, "no mapping");
    paint(b, SIZE, 8);
    memcpy(b, a, SIZE); /* plainly */
    CHECK(shared(b, SIZE) == SIZE && holds(b, SIZE, 0, 5), "a shared mapping was replaced, or has wrong bytes");
    madvise(b, SIZE, MADV_DONTNEED); /* the file keeps what it has */
    CHECK(holds(b, SIZE, 0, 5), "MADV_DONTNEED emptied a shared mapping");
    CHECK(cowshim_unregister(b, SIZE) == 0, "%s", strerror(errno));
    CHECK(holds(b, SIZE, 0, 5) && msync(b, SIZE, MS_SYNC) == 0, "unregistering stale memory changed what is there now");
    CHECK(pread(fd, a, PAGE, 0) == (ssize_t)PAGE && holds(a, PAGE, 0, 5), "the file does not have what was written");
    close(fd);
    drop_pair(a, b);
    return KEPT;
}

static int tell_registered_again(void)
{
    BY_INSTRUCTION
    PAIR(a, b);

    INSTRUCTION(SYS_munmap, (long)b, SIZE);
    map_at(b);
    CHECK(cowshim_register(b, SIZE, 0) == 0, "memory that is new at an old place: %s", strerror(errno));
    CHECK(zero(b, SIZE), "registering changed it");
    CHECK(cowshim_copy(b, a, SIZE, COWSHIM_REQUIRE) == (ssize_t)SIZE && holds(b, SIZE, 0, 5), "%s", strerror(errno));
    drop_pair(a, b);
    return KEPT;
}

/* The view lives on elsewhere, hidden from us: its store must never be punched, whatever happens at the old place. */
static int tell_moved_raw(void)
{
    BY_INSTRUCTION
    PAIR(a, b);
    unsigned char *moved = (unsigned char *)INSTRUCTION(SYS_mremap, (long)b, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
                                                        (long)mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

    map_at(b);
    paint(b, SIZE, 6); /* private pages where the view was believed to be */
    paint(a, SIZE, 7); /* and in front of the other view */
    for (int i = 0; i < 64; i++) { /* reclaim looks at the end of operations */
        unsigned char *block = malloc(SIZE);
        unsigned char *copy = cowshim_dup(block, SIZE);

        memset(copy, i, SIZE);
        free(copy);
        free(block);
    }
    CHECK(holds(moved, SIZE, 0, 5), "what moved lost its contents");
    CHECK(holds(b, SIZE, 0, 6) && holds(a, SIZE, 0, 7), "wrong bytes");
    munmap(moved, SIZE);
    drop_pair(a, b);
    return KEPT;
}

static int tell_moved(void)
{
    PAIR(a, b);
    unsigned char *moved;

    CHECK(cowshim_copy(b + 16 * PAGE, a, 16 * PAGE, COWSHIM_REQUIRE) > 0, "%s", strerror(errno)); /* several views */
    CHECK(mremap(a + 16 * PAGE, 16 * PAGE, 17 * PAGE, 0) == MAP_FAILED && errno == ENOMEM, "mremap where there is no room: %s",
          strerror(errno));
    CHECK(holds(a, SIZE, 0, 5), "it changed");
    madvise(a + 16 * PAGE, 16 * PAGE, MADV_DONTNEED);
    CHECK(zero(a + 16 * PAGE, 16 * PAGE), "MADV_DONTNEED of what was not moved");
    paint(a, SIZE, 5);
    memcpy(b, a, SIZE);
    moved = mremap(b, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

    CHECK(moved != MAP_FAILED && holds(moved, SIZE, 0, 5), "mremap: %s", strerror(errno));
    paint(a, SIZE, 6);
    CHECK(holds(moved, SIZE, 0, 5), "a write is seen at the new place");
    CHECK(cowshim_register(moved, SIZE, 0) == 0, "at the new place: %s", strerror(errno));
    CHECK(holds(moved, SIZE, 0, 5), "registering changed it");
    CHECK(cowshim_copy(a + 32 * PAGE, moved + 32 * PAGE, SIZE - 32 * PAGE, COWSHIM_REQUIRE) > 0, "%s", strerror(errno));
    CHECK(holds(a + 32 * PAGE, SIZE - 32 * PAGE, 32 * PAGE, 5), "a copy from the new place");
    madvise(moved, SIZE, MADV_DONTNEED);
    CHECK(zero(moved, SIZE), "MADV_DONTNEED at the new place");
    cowshim_unregister(moved, SIZE);
    munmap(moved, SIZE);
    cowshim_unregister(a, SIZE);
    munmap(a, SIZE);
    return KEPT;
}

static bool writable(const unsigned char *memory)
{
    int ends[2];
    bool can;

    if (pipe(ends) != 0 || write(ends[1], "x", 1) != 1)
        return false;
    can = syscall(SYS_read, ends[0], memory, 1) == 1;
    close(ends[0]);
    close(ends[1]);
    return can;
}

static int tell_protected(void)
{
    PAIR(a, b);

    mprotect(b + 64 * PAGE, 64 * PAGE, PROT_READ);
    CHECK(cowshim_copy(b, a, SIZE, COWSHIM_REQUIRE) == -1 && errno == ESTALE, "a copy over a protected page: %s", strerror(errno));
    CHECK(cowshim_copy(b, a, 64 * PAGE, COWSHIM_REQUIRE) > 0, "beside the protected pages: %s", strerror(errno));
    madvise(b + 64 * PAGE, 64 * PAGE, MADV_DONTNEED);
    CHECK(zero(b + 64 * PAGE, 64 * PAGE), "MADV_DONTNEED of protected pages");
    CHECK(!writable(b + 64 * PAGE), "a protected page became writable");
    cowshim_unregister(b, SIZE);
    CHECK(!writable(b + 65 * PAGE), "unregistering made a page writable");
    mprotect(b + 64 * PAGE, 64 * PAGE, PROT_READ | PROT_WRITE);
    CHECK(holds(b, 64 * PAGE, 0, 5) && zero(b + 64 * PAGE, 64 * PAGE), "wrong bytes");
    drop_pair(a, b);
    return KEPT;
}

static int tell_emptied(void)
{
    PAIR(a, b);

    madvise(b + PAGE, 64 * PAGE, MADV_DONTNEED);
    CHECK(holds(b, PAGE, 0, 5) && zero(b + PAGE, 64 * PAGE) && holds(b + 65 * PAGE, SIZE - 65 * PAGE, 65 * PAGE, 5),
          "MADV_DONTNEED");
    CHECK(holds(a, SIZE, 0, 5), "the other copy was emptied, too");
    cowshim_unregister(b, SIZE);
    CHECK(holds(b, PAGE, 0, 5) && zero(b + PAGE, 64 * PAGE) && holds(b + 65 * PAGE, SIZE - 65 * PAGE, 65 * PAGE, 5),
          "after unregistering");
    madvise(b, SIZE, MADV_DONTNEED);
    CHECK(zero(b, SIZE), "MADV_DONTNEED of what was registered once");
    drop_pair(a, b);
    return KEPT;
}

static int tell_locked(void)
{
    PAIR(a, b);

    CHECK(mlock(b + 8 * PAGE, 8 * PAGE) == 0, "mlock: %s", strerror(errno));
    CHECK(!shows_store(b + 8 * PAGE, 8 * PAGE) && holds(b, SIZE, 0, 5), "locked pages show a store, or changed");
    CHECK(cowshim_copy(b, a, SIZE, COWSHIM_REQUIRE) == -1 && errno == ENOENT, "locked pages are still in a block");
    CHECK(cowshim_copy(b + 16 * PAGE, a, 16 * PAGE, COWSHIM_REQUIRE) > 0, "beside the locked pages: %s", strerror(errno));
    munlock(b, SIZE);
    drop_pair(a, b);
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
    unsigned char *copy;

    for (int round = 0; round < 3; round++) {
        void *library;
        unsigned char *array;

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

static const struct story stories[] = {
    {"registered memory is shared, and private again when unregistered", tell_copies},
    {"static arrays in .bss and .data, aligned to nothing, are shared and keep their neighbours", tell_static_arrays},
    {"a private mapping of a file keeps the file's bytes where it was never written", tell_file_mapping},
    {"unmapped parts leave the registration, and the rests go on", tell_unmapped},
    {"what is unmapped behind our back is never touched again", tell_unmapped_raw},
    {"new memory at an old place can be registered", tell_registered_again},
    {"a view that was moved behind our back keeps its bytes", tell_moved_raw},
    {"memory that was moved can be registered at its new place", tell_moved},
    {"protected pages stay protected, and are copied plainly", tell_protected},
    {"MADV_DONTNEED gives zeros", tell_emptied},
    {"locked pages leave the registration and the store", tell_locked},
    {"an allocator's chunk can be freed and resized while it is registered", tell_allocator},
    {"a library's .bss may go with its library", tell_library},
    {"a child's registrations are its own", tell_fork},
    {"registering and unregistering under threads that copy, with forks, loses nothing", tell_races},
    {"exclude, include and seal do what they say", tell_hints},
};

int main(void)
{
    return tell_all(stories, COUNT_OF(stories));
}
