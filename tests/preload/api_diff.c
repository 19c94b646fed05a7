/* SPDX-License-Identifier: MIT */
/* cowshim_diff: what memcmp finds page by page, whatever has happened to the two ranges. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cowshim.h"
#include "story.h"

#define PAGE ((size_t)4096)
#define PAGES ((size_t)1024)
#define SIZE (PAGES * PAGE)
#define BLOCKS 4

static uint64_t state = 1;

static size_t dice(size_t sides)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)(state >> 33) % sides;
}

/* A bit a page that was reported; a range that is not of whole pages, or not rising, is noted. */
struct report {
    const unsigned char *a;
    size_t length, last;
    unsigned char page[PAGES + 1];
    bool bad;
};

static int note(void *context, size_t offset, size_t length)
{
    struct report *report = context;
    uintptr_t base = (uintptr_t)report->a;
    size_t end = offset + length;

    report->bad |= length == 0 || end > report->length || (report->last != SIZE_MAX && offset <= report->last);
    report->bad |= (offset != 0 && (base + offset) % PAGE != 0) || (end != report->length && (base + end) % PAGE != 0);
    report->last = end;
    for (size_t at = offset; at < end; at += PAGE - (base + at) % PAGE)
        report->page[(base + at) / PAGE - base / PAGE] = 1;
    return 0;
}

/* One question and its answer by memcmp. */
static bool right(const unsigned char *a, const unsigned char *b, size_t length, unsigned flags)
{
    static struct report report;
    ssize_t got;

    memset(&report, 0, sizeof report);
    report.a = a;
    report.length = length;
    report.last = SIZE_MAX;
    got = cowshim_diff(a, b, length, flags, note, &report);
    if (got < 0 || report.bad) {
        printf("# result %zd, errno %d, ranges %s\n", got, errno, report.bad ? "out of order" : "in order");
        return false;
    }
    for (size_t at = 0; at < length;) {
        size_t step = PAGE - ((uintptr_t)a + at) % PAGE;
        size_t page = ((uintptr_t)a + at) / PAGE - (uintptr_t)a / PAGE;
        bool differs;

        step = step < length - at ? step : length - at;
        differs = memcmp(a + at, b + at, step) != 0;
        if (flags == 0 ? differs != report.page[page] : differs && !report.page[page]) {
            printf("# page %zu %s and was %sreported\n", page, differs ? "differs" : "is the same", report.page[page] ? "" : "not ");
            return false;
        }
        at += step;
    }
    return true;
}

static void write_some(unsigned char *block)
{
    size_t page = dice(PAGES);
    size_t count = 1 + dice(dice(4) == 0 ? PAGES - page : 3);

    for (size_t i = 0; i < count && page + i < PAGES; i++)
        block[(page + i) * PAGE + dice(PAGE)] = (unsigned char)dice(3); /* often what was there */
}

static void do_something(unsigned char **block)
{
    unsigned char *one = block[dice(BLOCKS)];
    unsigned char *other = block[dice(BLOCKS)];
    size_t from = dice(PAGES);
    size_t pages = 1 + dice(PAGES - from);
    size_t to = dice(PAGES - pages + 1);

    switch (dice(8)) {
    case 0:
        memcpy(one == other ? block[0] : one, one == other ? block[1] : other, SIZE);
        break;
    case 1:
        cowshim_copy(one + to * PAGE, other + from * PAGE, pages * PAGE, COWSHIM_ALLOW_PLAIN);
        break;
    case 2:
        memset(one + from * PAGE, (int)dice(2), pages * PAGE);
        break;
    case 3:
        madvise(one + from * PAGE, pages * PAGE, MADV_DONTNEED);
        break;
    case 4:
        cowshim_seal(one + from * PAGE, pages * PAGE);
        break;
    default:
        write_some(one);
        break;
    }
}

static bool ask(unsigned char **block)
{
    const unsigned char *a = block[dice(BLOCKS)];
    const unsigned char *b = block[dice(BLOCKS)];
    size_t from = dice(3) == 0 ? dice(SIZE / 2) : 0;
    size_t shift = dice(4) == 0 ? dice(SIZE / 4) : from;
    size_t room = SIZE - (from > shift ? from : shift);
    size_t length = dice(3) == 0 ? 1 + dice(room) : room;

    return right(a + from, b + shift, length, 0) && right(a + from, b + shift, length, COWSHIM_DIFF_NO_READ);
}

static int tell_random(void)
{
    unsigned char *block[BLOCKS];

    for (size_t i = 0; i < BLOCKS; i++) {
        block[i] = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (i < BLOCKS - 1) /* the last one is no block of ours */
            CHECK(cowshim_register(block[i], SIZE, 0) == 0, "%s", strerror(errno));
    }
    for (int round = 0; round < 1500; round++) {
        do_something(block);
        CHECK(round % 3 != 0 || ask(block), "round %d", round);
    }
    for (size_t i = 0; i < BLOCKS; i++)
        munmap(block[i], SIZE);
    return KEPT;
}

/* A registered range; the answer is for the story to give unless it is KEPT. */
static int begin(unsigned char **range, size_t size)
{
    if (!cowshim_active()) {
        printf("# the shim is not at work\n");
        return SKIPPED;
    }
    *range = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(*range, size, MADV_NOHUGEPAGE); /* what is not written is a hole, whatever its neighbours are */
    CHECK(cowshim_register(*range, size, 0) == 0, "%s", strerror(errno));
    return KEPT;
}

/* That nothing shared is read is seen by what reading would do: bring pages in. */
static int tell_unread(void)
{
    struct cowshim_pages before, after;
    unsigned char *a, *b;
    int begun = begin(&a, SIZE);
    unsigned char resident[PAGES];
    size_t count = 0;

    if (begun != KEPT)
        return begun;
    paint(a, SIZE / 2, 1); /* the other half: holes */
    b = cowshim_dup(a, SIZE);
    CHECK(cowshim_residency(a, SIZE, &before) == 0 && before.hole_bytes >= SIZE / 2, "no holes to begin with");
    CHECK(cowshim_diff(a, b, SIZE, 0, NULL, NULL) == 0, "copies differ");
    b[17 * PAGE] ^= 1;
    CHECK(cowshim_diff(a, b, SIZE, 0, NULL, NULL) == (ssize_t)PAGE, "one page differs");
    CHECK(cowshim_residency(a, SIZE, &after) == 0 && memcmp(&before, &after, sizeof before) == 0, "comparing changed what is there");
    CHECK(mincore(b + SIZE / 2, SIZE / 2, resident) == 0, "%s", strerror(errno));
    for (size_t i = 0; i < PAGES / 2; i++)
        count += resident[i] & 1;
    CHECK(count == 0, "%zu holes were read", count);
    free(b);
    munmap(a, SIZE);
    return KEPT;
}

/* How many pages of the range are in the page table. */
static size_t present(const unsigned char *start, size_t size)
{
    static uint64_t entry[PAGES];
    int fd = open("/proc/self/pagemap", O_RDONLY);
    ssize_t got = pread(fd, entry, size / PAGE * sizeof *entry, (off_t)((uintptr_t)start / PAGE * sizeof *entry));
    size_t count = 0;

    close(fd);
    for (ssize_t i = 0; i < got / (ssize_t)sizeof *entry; i++)
        count += entry[i] >> 63;
    return got < 0 ? SIZE_MAX : count;
}

/* Writes to a page: something else, or what was there. Returns how much differs by it. */
static ssize_t touch(unsigned char *block, size_t page, bool changed)
{
    unsigned char *byte = block + page * PAGE + dice(PAGE);

    *byte = (unsigned char)(*byte ^ changed);
    return changed ? (ssize_t)PAGE : 0;
}

/* Asked both ways, and nothing of a is in the page table afterwards. */
static int tell_unmapped(const unsigned char *a, const unsigned char *b, size_t size, ssize_t differs)
{
    CHECK(cowshim_diff(a, b, size, 0, NULL, NULL) == differs, "b against a");
    CHECK(cowshim_diff(b, a, size, 0, NULL, NULL) == differs, "a against b");
    CHECK(present(a, size) == 0, "%zu pages were brought in", present(a, size));
    return KEPT;
}

/* Pages that lie alone: what they are compared with is read from its store (a memfd, for so little) and not mapped. One in three is
   written with what was there. */
static int tell_alone(void)
{
    size_t size = SIZE / 2;
    unsigned char *a, *b;
    int begun = begin(&a, size);
    ssize_t differs = 0;

    if (begun != KEPT)
        return begun;
    paint(a, size, 1);
    b = cowshim_dup(a, size);
    CHECK(present(a, size) == 0, "%zu pages are there to begin with", present(a, size));
    for (size_t page = 1; page < size / PAGE; page += 10)
        differs += touch(b, page, page % 3 != 0);
    if (tell_unmapped(a, b, size, differs) != KEPT)
        return BROKEN;
    free(b);
    munmap(a, size);
    return KEPT;
}

/* Writes runs of 190 pages, of some of them what was there. Returns how much differs. */
static ssize_t write_runs(unsigned char *block, size_t pages)
{
    ssize_t differs = 0;

    for (size_t page = 0; page < pages; page++)
        if (page % 200 >= 10)
            differs += touch(block, page, page % 200 > 50 && page % 7 != 0);
    return differs;
}

/* The same of long runs; and where their counterpart was brought in by others, all of it or in part. */
static int tell_runs(void)
{
    size_t size = SIZE / 2; /* a memfd, as above */
    unsigned char *a, *b;
    int begun = begin(&a, size);
    ssize_t differs;

    if (begun != KEPT)
        return begun;
    paint(a, size, 1);
    b = cowshim_dup(a, size);
    differs = write_runs(b, size / PAGE);
    if (tell_unmapped(a, b, size, differs) != KEPT)
        return BROKEN;
    for (size_t read = 1; read < size / PAGE; read *= 4) {
        unsigned char *c = cowshim_dup(a, size);

        CHECK(first_wrong(c, read * PAGE, 0, 1) == SIZE_MAX && present(c, size) >= read, "the first %zu pages", read);
        CHECK(read % 16 == 0 ? right(b, c, size, 0) : right(c, b, size, 0), "when %zu pages were read", read);
        free(c);
    }
    free(b);
    munmap(a, size);
    return KEPT;
}

static jmp_buf away;

static int leave(void *context, size_t offset, size_t length)
{
    (void)context;
    (void)offset;
    (void)length;
    longjmp(away, 1);
}

/* It may use everything, the two ranges too. */
static int meddle(void *context, size_t offset, size_t length)
{
    unsigned char **pair = context;

    memcpy(pair[0] + offset, pair[1] + offset, length);
    free(cowshim_dup(pair[0], SIZE));
    return 0;
}

static int tell_callback(void)
{
    unsigned char *pair[2] = {aligned_alloc(PAGE, SIZE), NULL};

    paint(pair[0], SIZE, 1);
    pair[1] = cowshim_dup(pair[0], SIZE);
    for (size_t page = 0; page < PAGES; page += 2)
        pair[1][page * PAGE + 1] ^= 1;
    if (setjmp(away) == 0) {
        cowshim_diff(pair[0], pair[1], SIZE, 0, leave, NULL);
        CHECK(false, "the callback was not called");
    }
    CHECK(cowshim_diff(pair[0], pair[1], SIZE, 0, meddle, pair) == (ssize_t)SIZE / 2, "half of the pages differ");
    CHECK(memcmp(pair[0], pair[1], SIZE) == 0, "the callback made them equal");
    CHECK(cowshim_diff(pair[0], pair[1], SIZE, 0, NULL, NULL) == 0, "they are not");
    free(pair[0]);
    free(pair[1]);
    return KEPT;
}

static unsigned char *written;
static _Atomic int end;

/* Writes to the odd pages, and now and then copies one onto another. */
static void *write_on(void *nothing)
{
    uint64_t salt = 0;

    (void)nothing;
    while (!end) {
        size_t page = (size_t)(salt++ * 7919) % (PAGES / 2) * 2 + 1;

        written[page * PAGE + 8] = (unsigned char)salt;
    }
    return NULL;
}

static int even(void *context, size_t offset, size_t length)
{
    unsigned char *seen = context;

    for (size_t at = offset; at < offset + length; at += PAGE)
        seen[at / PAGE] = 1;
    return 0;
}

/* The even pages are nobody else's: they are told exactly, whatever happens to the odd ones. */
static int tell_races(void)
{
    pthread_t thread;
    unsigned char *base;

    written = aligned_alloc(PAGE, SIZE);
    paint(written, SIZE, 1);
    CHECK(pthread_create(&thread, NULL, write_on, NULL) == 0, "no thread");
    base = cowshim_dup(written, SIZE);
    for (size_t round = 0; round < 200; round++) {
        static unsigned char seen[PAGES], truth[PAGES];
        size_t page = dice(PAGES / 2) * 2;

        memset(seen, 0, sizeof seen);
        written[page * PAGE + 9]++;
        if (round % 16 == 0)
            cowshim_copy(written, base, 64 * PAGE, COWSHIM_ALLOW_PLAIN);
        if (round % 32 == 0)
            cowshim_seal(written, SIZE);
        for (size_t i = 0; i < PAGES; i += 2)
            truth[i] = memcmp(written + i * PAGE, base + i * PAGE, PAGE) != 0;
        CHECK(cowshim_diff(written, base, SIZE, 0, even, seen) >= 0, "%s", strerror(errno));
        for (size_t i = 0; i < PAGES; i += 2)
            CHECK(seen[i] == truth[i], "round %zu: page %zu", round, i);
    }
    end = 1;
    pthread_join(thread, NULL);
    free(base);
    free(written);
    return KEPT;
}

static const struct story stories[] = {
    {"it finds what memcmp finds, after any sequence of copies, writes, fills and seals", tell_random},
    {"neither shared pages nor holes are read", tell_unread},
    {"what a page that lies alone is compared with is not brought in", tell_alone},
    {"nor what a long run of pages is compared with", tell_runs},
    {"the callback may call anything, change both ranges and jump away", tell_callback},
    {"what nobody writes is told exactly while others write beside it", tell_races},
};

int main(void)
{
    return tell_all(stories, COUNT_OF(stories));
}
