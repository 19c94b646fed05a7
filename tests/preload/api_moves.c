/* SPDX-License-Identifier: MIT */
/* Registered memory is unmapped, moved, protected, emptied and locked, through libc and behind its back. Contents are right at every
   step, and so is what the kernel was told. */
#include <sys/syscall.h>
#include <unistd.h>

#include "instruction.h"
#include "registered.h"

static int tell_unmapped(void)
{
    PAIR(a, b);

    munmap(b + 64 * PAGE, 64 * PAGE);
    CHECK(registered() == 3, "a hole in the middle leaves two registrations of three, there are %lu", (unsigned long)registered());
    CHECK(holds(b, 64 * PAGE, 0, 5) && holds(b + 128 * PAGE, SIZE - 128 * PAGE, 128 * PAGE, 5), "the rest changed");
    /* Both rests still share, and what is mapped into the hole is the program's alone. */
    CHECK(mmap(b + 64 * PAGE, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED, "%s",
          strerror(errno));
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
    paint(b, SIZE, 6);             /* private pages where the view was believed to be */
    paint(a, SIZE, 7);             /* and in front of the other view */
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
    CHECK(holds(b, PAGE, 0, 5) && zero(b + PAGE, 64 * PAGE) && holds(b + 65 * PAGE, SIZE - 65 * PAGE, 65 * PAGE, 5), "MADV_DONTNEED");
    CHECK(holds(a, SIZE, 0, 5), "the other copy was emptied, too");
    cowshim_unregister(b, SIZE);
    CHECK(holds(b, PAGE, 0, 5) && zero(b + PAGE, 64 * PAGE) && holds(b + 65 * PAGE, SIZE - 65 * PAGE, 65 * PAGE, 5), "after unregistering");
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

int main(void)
{
    static const struct story stories[] = {
        {"unmapped parts leave the registration, and the rests go on", tell_unmapped},
        {"what is unmapped behind our back is never touched again", tell_unmapped_raw},
        {"new memory at an old place can be registered", tell_registered_again},
        {"a view that was moved behind our back keeps its bytes", tell_moved_raw},
        {"memory that was moved can be registered at its new place", tell_moved},
        {"protected pages stay protected, and are copied plainly", tell_protected},
        {"MADV_DONTNEED gives zeros", tell_emptied},
        {"locked pages leave the registration and the store", tell_locked},
    };

    return tell_all(stories, COUNT_OF(stories));
}
