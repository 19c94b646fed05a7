/* SPDX-License-Identifier: MIT */
/* Secrets: what libcowshim(7) says of bytes that a program wiped or marked, by looking into every store that the process has. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "own_files.h"
#include "story.h"

#define PAGE ((size_t)4096)
#define SMALL (80 * PAGE)
#define LARGE ((size_t)5 << 20) /* large enough for a store on huge pages */
#define SECRET 0x5ec2e7

static size_t size_now;

/* pattern_word() turned round: which word of the secret it is; what is none comes out as a number that is too large. */
static uint64_t index_of(uint64_t word)
{
    const uint64_t factor = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t inverse = factor;

    for (int i = 0; i < 5; i++)
        inverse *= 2 - factor * inverse;
    return (word ^ SECRET * UINT64_C(0x0101010101010101)) * inverse - 1;
}

/* Words of the file that are words of the secret. */
static long count_in(const char *path)
{
    static uint64_t page[PAGE / 8];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    long found = 0;

    for (off_t at = 0; fd >= 0 && pread(fd, page, sizeof page, at) == (ssize_t)sizeof page; at += (off_t)sizeof page)
        for (size_t i = 0; i < PAGE / 8; i++)
            found += index_of(page[i]) < size_now / 8;
    if (fd >= 0)
        close(fd);
    return found;
}

static long in_stores(void)
{
    return over_own_files(getpid(), count_in);
}

struct pair {
    unsigned char *array, *copy;
};

static bool make_pair(struct pair *pair, size_t size)
{
    size_now = size;
    pair->array = aligned_alloc(PAGE, size);
    pair->copy = aligned_alloc(PAGE, size);
    if (pair->array == NULL || pair->copy == NULL)
        return false;
    paint(pair->array, size, SECRET);
    return true;
}

static void end_pair(struct pair *pair)
{
    free(pair->array);
    free(pair->copy);
}

static int wipe(size_t size)
{
    struct pair pair;

    CHECK(make_pair(&pair, size), "no memory");
    memcpy(pair.copy, pair.array, size);
    CHECK(in_stores() >= (long)(size / 8), "the secret is in no store: nothing is tested");
    explicit_bzero(pair.array, size);
    CHECK(zero(pair.array, size) && holds(pair.copy, size, 0, SECRET), "wrong bytes");
    explicit_bzero(pair.copy, size);
    CHECK(in_stores() == 0, "%ld words of the secret live on", in_stores());
    CHECK(zero(pair.copy, size), "the copy was not wiped");
    end_pair(&pair);
    return KEPT;
}

static int wiped_by_explicit_bzero(void)
{
    return wipe(SMALL);
}

static int wiped_from_huge_pages(void)
{
    return wipe(LARGE);
}

/* A key of a few bytes in the middle of an array that lives on. */
static int wiped_in_part(void)
{
    size_t at = 33 * PAGE + 700, end = 34 * PAGE + 50;
    struct pair pair;
    long before;

    CHECK(make_pair(&pair, SMALL), "no memory");
    memcpy(pair.copy, pair.array, SMALL);
    before = in_stores();
    explicit_bzero(pair.copy + at, end - at);
    CHECK(in_stores() == before, "what the array shows was taken away");
    explicit_bzero(pair.array + at, end - at);
    CHECK(in_stores() == before - 2 * (long)(PAGE / 8), "the store has %ld words less, not those of two pages", before - in_stores());
    for (int i = 0; i < 2; i++) {
        const unsigned char *memory = i == 0 ? pair.array : pair.copy;

        CHECK(holds(memory, at, 0, SECRET) && zero(memory + at, end - at) && holds(memory + end, SMALL - end, end, SECRET),
              "wrong bytes in %s", i == 0 ? "the array" : "the copy");
    }
    end_pair(&pair);
    return KEPT;
}

/* The views of a store on both sides of a wiped range end elsewhere; a second block lies between the two. */
static int wiped_across_blocks(void)
{
    unsigned char *memory, *copy;

    size_now = SMALL;
    memory = aligned_alloc(PAGE, SMALL);
    copy = aligned_alloc(PAGE, SMALL);
    CHECK(memory != NULL && copy != NULL, "no memory");
    paint(memory, SMALL, SECRET);
    memcpy(copy + 20 * PAGE, memory + 20 * PAGE, 40 * PAGE);
    memcpy(copy, memory, 20 * PAGE);
    memcpy(copy + 60 * PAGE, memory + 60 * PAGE, 20 * PAGE);
    CHECK(in_stores() > 0, "the secret is in no store: nothing is tested");
    explicit_bzero(memory, SMALL);
    CHECK(holds(copy, SMALL, 0, SECRET), "wrong bytes in the copy");
    explicit_bzero(copy + PAGE, SMALL - 2 * PAGE);
    explicit_bzero(copy, PAGE);
    explicit_bzero(copy + SMALL - PAGE, PAGE);
    CHECK(in_stores() == 0, "%ld words of the secret live on", in_stores());
    free(memory);
    free(copy);
    return KEPT;
}

static void wipe_by_hand(unsigned char *memory, size_t size)
{
    volatile uint64_t *words = (void *)memory;

    for (size_t i = 0; i < size / 8; i++)
        words[i] = 0;
}

/* What is wiped by stores of the program goes when enough has died; freed blocks take the last file along. */
static int wiped_by_hand(void)
{
    struct pair pair, other;

    CHECK(make_pair(&pair, SMALL), "no memory");
    memcpy(pair.copy, pair.array, SMALL);
    CHECK(in_stores() > 0, "the secret is in no store: nothing is tested");
    wipe_by_hand(pair.array, SMALL);
    wipe_by_hand(pair.copy, SMALL);
    other.array = malloc(SMALL);
    for (int i = 0; i < 100 && in_stores() > 0; i++) {
        other.copy = malloc(SMALL);
        memset(other.array, i, SMALL);
        memcpy(other.copy, other.array, SMALL);
        free(other.copy);
    }
    CHECK(in_stores() == 0, "%ld words of the secret live on after a hundred copies", in_stores());
    free(other.array);
    end_pair(&pair);
    return KEPT;
}

static int freed(void)
{
    struct pair pair;

    CHECK(make_pair(&pair, LARGE * 8), "no memory");
    memcpy(pair.copy, pair.array, LARGE * 8);
    CHECK(shows_store(pair.copy, LARGE), "nothing was shared: nothing is tested");
    end_pair(&pair);
    CHECK(in_stores() == 0, "%ld words live on in a store of freed blocks", in_stores());
    return KEPT;
}

static bool ballast; /* other blocks keep the files of stores in use */

/* What a child may show is not punched. With the last block the file goes as a whole, at once; where others keep it in use, what was
   in it is given back at some call after the child has ended. */
static int forked(void)
{
    struct pair pair;
    int ends[2], status;
    char byte;

    CHECK(make_pair(&pair, SMALL) && pipe(ends) == 0, "no memory");
    memcpy(pair.copy, pair.array, SMALL);
    if (fork() == 0) {
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) == 0 && holds(pair.array, SMALL, 0, SECRET) && holds(pair.copy, SMALL, 0, SECRET) ? 0 : 1);
    }
    explicit_bzero(pair.array, SMALL);
    explicit_bzero(pair.copy, SMALL);
    CHECK(zero(pair.array, SMALL) && zero(pair.copy, SMALL), "not wiped");
    close(ends[1]);
    end_pair(&pair);
    CHECK(ballast || in_stores() == 0, "%ld words live on in a store of freed blocks", in_stores());
    wait(&status);
    CHECK(status == 0, "the child lost what it saw: status %#x", (unsigned)status);
    for (int i = 0; i < 2000 && in_stores() != 0; i++) {
        usleep(1000);
        free(malloc(SMALL));
    }
    CHECK(in_stores() == 0, "%ld words live on in a store of freed blocks", in_stores());
    return KEPT;
}

static int lock_pages(void *memory, size_t size)
{
    return mlock(memory, size);
}

static int exclude_from_dumps(void *memory, size_t size)
{
    return madvise(memory, size, MADV_DONTDUMP);
}

static int exclude_from_forks(void *memory, size_t size)
{
    return madvise(memory, size, MADV_DONTFORK);
}

static int wipe_in_forks(void *memory, size_t size)
{
    return madvise(memory, size, 18); /* MADV_WIPEONFORK */
}

static int (*const marks[])(void *memory, size_t size) = {lock_pages, exclude_from_dumps, exclude_from_forks, wipe_in_forks};

static int marked_before(void)
{
    for (size_t i = 0; i < COUNT_OF(marks); i++) {
        struct pair pair;

        CHECK(make_pair(&pair, SMALL), "no memory");
        if (marks[i](pair.array, SMALL) != 0)
            continue; /* RLIMIT_MEMLOCK */
        memcpy(pair.copy, pair.array, SMALL);
        CHECK(in_stores() == 0, "mark %zu: %ld words of marked memory are in a store", i, in_stores());
        CHECK(holds(pair.copy, SMALL, 0, SECRET), "wrong bytes in the copy");
        munlock(pair.array, SMALL);
        madvise(pair.array, SMALL, MADV_DOFORK);
        end_pair(&pair);
    }
    return KEPT;
}

/* Another array is in the same file, so that it stays. */
static int marked_afterwards(void)
{
    struct pair neighbour;

    CHECK(make_pair(&neighbour, SMALL), "no memory");
    memset(neighbour.array, 1, SMALL);
    memcpy(neighbour.copy, neighbour.array, SMALL);
    for (size_t i = 0; i < COUNT_OF(marks); i++) {
        struct pair pair;

        CHECK(make_pair(&pair, SMALL), "no memory");
        memcpy(pair.copy, pair.array, SMALL);
        CHECK(in_stores() > 0, "the secret is in no store: nothing is tested");
        if (marks[i](pair.array, SMALL) == 0 && marks[i](pair.copy, SMALL) == 0)
            CHECK(in_stores() == 0, "mark %zu: %ld words of marked memory live on in a store", i, in_stores());
        CHECK(holds(pair.array, SMALL, 0, SECRET) && holds(pair.copy, SMALL, 0, SECRET), "wrong bytes");
        munlock(pair.array, SMALL);
        munlock(pair.copy, SMALL);
        madvise(pair.array, SMALL, MADV_DOFORK);
        madvise(pair.copy, SMALL, MADV_DOFORK);
        end_pair(&pair);
    }
    end_pair(&neighbour);
    return KEPT;
}

static long can_open(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static char told[16][64];
static size_t told_count;

static long tell_path(const char *path)
{
    if (told_count == COUNT_OF(told) || !can_open(path))
        return 0;
    snprintf(told[told_count++], sizeof *told, "%s", path);
    return 1;
}

/* In a process of another user: 0 when nothing of ours can be opened, by the numbers that it was told. */
static int try_as_stranger(pid_t process)
{
    char path[64];

    if (setgid(65534) != 0 || setuid(65534) != 0)
        return 2;
    for (size_t i = 0; i < told_count; i++)
        if (can_open(told[i]))
            return 1;
    snprintf(path, sizeof path, "/proc/%d/map_files", process);
    return opendir(path) != NULL;
}

static int strangers(void)
{
    struct pair pair;
    long files;
    int status;
    pid_t parent = getpid();

    if (getuid() != 0) {
        puts("# only root can become another user");
        return SKIPPED;
    }
    CHECK(make_pair(&pair, SMALL), "no memory");
    memcpy(pair.copy, pair.array, SMALL);
    files = over_own_files(parent, tell_path);
    CHECK(files >= 2, "%ld files of ours can be opened by ourselves: a store and a page were to be there", files);
    if (fork() == 0)
        _exit(try_as_stranger(parent));
    wait(&status);
    CHECK(status == 0, "another user could open something: status %#x", (unsigned)status);
    end_pair(&pair);
    return KEPT;
}

/* So that what dies is little beside what lives: nobody would look by himself. */
static void make_ballast(void)
{
    size_t size = 16 * LARGE;
    unsigned char *array = malloc(size), *copy = malloc(size);

    memset(array, 1, size);
    memcpy(copy, array, size);
}

int main(int count, char **arguments)
{
    static const struct story stories[] = {
        {"explicit_bzero of the last view takes the bytes out of the store", wiped_by_explicit_bzero},
        {"and out of a store on huge pages", wiped_from_huge_pages},
        {"and those of a part alone", wiped_in_part},
        {"and those of several views", wiped_across_blocks},
        {"what marked memory holds never comes into a store", marked_before},
        {"what is marked after it was copied leaves the store", marked_afterwards},
        {"what is wiped otherwise goes in the course of later copies", wiped_by_hand},
        {"a large block that is freed with its copies leaves nothing", freed},
        {"what a child shows stays there, and leaves the parent with the last block", forked},
        {"other users can open neither stores nor the page with the counters", strangers},
    };

    ballast = count > 1 && strcmp(arguments[1], "ballast") == 0;
    if (ballast)
        make_ballast();
    return tell_all(stories, COUNT_OF(stories));
}
