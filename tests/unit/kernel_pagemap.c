/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/page.h"
#include "kernel/map.h"
#include "kernel/pagemap.h"
#include "kernel/pressure.h"
#include "kernel/procfile.h"
#include "unit.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum state { HOLE, ZERO_READ, PRIVATE, UNREAD_VIEW, CLEAN_VIEW, DIRTY_VIEW, STATES };

#define PAGES 3000

static enum state states[PAGES];
static char wanted[PAGES], found[PAGES];

static void make_page(char *page, enum state state, int fd, size_t index)
{
    if (state >= UNREAD_VIEW)
        map_file((uintptr_t)page, page_size, fd, index * page_size);
    if (state == ZERO_READ || state == CLEAN_VIEW)
        *(volatile char *)page;
    if (state == PRIVATE || state == DIRTY_VIEW)
        *(volatile char *)page = 1;
}

/* Runs of random states and lengths: a page of each kind beside each other kind. */
static char *make_mixture(void)
{
    int fd = memfd_create("unit", 0);
    char *memory = unit_map(PAGES * page_size);
    static char full[65536];

    madvise(memory, PAGES * page_size, MADV_NOHUGEPAGE); /* a touch is to make one page */
    memset(full, 5, sizeof full);
    for (size_t i = 0; i < PAGES;) {
        enum state state = (enum state)(unit_random() % STATES);
        size_t length = unit_random() % 3 == 0 ? 1 + unit_random() % 40 : 1;

        for (; i < PAGES && length > 0; i++, length--) {
            CHECK(pwrite(fd, full, page_size, (off_t)(i * page_size)) == (ssize_t)page_size);
            states[i] = state;
        }
    }
    /* Views first: reading one page of a file maps its neighbours too, where they are views as well. */
    for (size_t i = 0; i < PAGES; i++)
        make_page(memory + i * page_size, states[i], fd, i);
    return memory;
}

/* Asks in pieces of at most max runs and marks the pages. */
static void ask(const struct pagemap_variant *variant, enum pagemap_want want, char *memory, size_t max)
{
    struct page_run runs[PAGES];
    uintptr_t start = (uintptr_t)memory, end = start + PAGES * page_size, at = start;
    int fd = procfile_use(PROCFILE_PAGEMAP);

    memset(found, 0, sizeof found);
    while (at < end) {
        uintptr_t walked = 0, last = at;
        int count = variant->runs(fd, want, at, end, runs, max, 0, &walked);

        CHECK(count >= 0 && (size_t)count <= max);
        CHECK(walked > at && walked <= end);
        CHECK(walked == end || (size_t)count == max);
        for (int i = 0; i < count; i++) {
            CHECK(runs[i].start >= last && runs[i].end > runs[i].start && runs[i].end <= walked);
            CHECK(i == 0 || runs[i].start > last); /* maximal: never touching the one before */
            last = runs[i].end;
            memset(found + (runs[i].start - start) / page_size, 1, (runs[i].end - runs[i].start) / page_size);
        }
        at = walked;
    }
}

static size_t private_pages_of_process(void)
{
    unsigned long all, resident = 0, shared = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    CHECK(file != NULL && fscanf(file, "%lu %lu %lu", &all, &resident, &shared) == 3);
    fclose(file);
    return resident - shared;
}

/* Some kernels have no zero page (guests of PVM, say): what is read only is a page of its own there, and so it is called. Told by what it
   costs, which is no question of the page map. */
static bool kernel_has_zero_page(void)
{
    char *memory = unit_map(PAGES * page_size);
    size_t before = private_pages_of_process();

    for (size_t i = 0; i < PAGES; i++)
        *(volatile char *)(memory + i * page_size);
    return private_pages_of_process() - before < PAGES / 2;
}

static void check_pages(const char *name, bool zero_is_private, enum pagemap_want want)
{
    for (size_t i = 0; i < PAGES; i++) {
        bool touched = states[i] != HOLE;
        bool private = states[i] == PRIVATE || states[i] == DIRTY_VIEW || (zero_is_private && states[i] == ZERO_READ);

        if (states[i] == UNREAD_VIEW && want == PAGES_TOUCHED)
            continue; /* the kernel may have mapped it along with a neighbour */
        if (found[i] != (want == PAGES_TOUCHED ? touched : private))
            UNIT_FAIL("%s: page %zu of state %d is %s", name, i, states[i], found[i] ? "listed" : "not listed");
    }
}

static bool have_scan(void)
{
    return strcmp(pagemap_name(), "PAGEMAP_SCAN") == 0;
}

TEST(pagemap, scan_knows_every_state)
{
    bool zero_page;
    char *memory;

    unit_start("");
    if (!have_scan())
        SKIP("no PAGEMAP_SCAN: Linux before 6.7");
    zero_page = kernel_has_zero_page();
    memory = make_mixture();
    for (size_t max = 1; max <= PAGES; max = max * 3 + 1) {
        ask(&pagemap_scan, PAGES_PRIVATE, memory, max);
        check_pages("PAGEMAP_SCAN private", !zero_page, PAGES_PRIVATE);
        ask(&pagemap_scan, PAGES_TOUCHED, memory, max);
        check_pages("PAGEMAP_SCAN touched", false, PAGES_TOUCHED);
    }
}

TEST(pagemap, reading_knows_every_state_but_calls_the_zero_page_private)
{
    char *memory;

    unit_start("scan-off");
    CHECK(strcmp(pagemap_name(), "pagemap") == 0);
    memory = make_mixture();
    for (size_t max = 1; max <= PAGES; max = max * 3 + 1) {
        ask(&pagemap_read, PAGES_PRIVATE, memory, max);
        check_pages("pagemap private", true, PAGES_PRIVATE);
        ask(&pagemap_read, PAGES_TOUCHED, memory, max);
        check_pages("pagemap touched", true, PAGES_TOUCHED);
    }
}

/* KSM puts the zero page where a page of zeros was written over a view: a hole there would show the store. */
TEST(pagemap, where_the_kernel_merges_pages_the_zero_page_is_private)
{
    char *memory;

    unit_start("");
    if (!have_scan())
        SKIP("no PAGEMAP_SCAN: Linux before 6.7");
    memory = make_mixture();
    pagemap_note_merging();
    ask(&pagemap_scan, PAGES_PRIVATE, memory, 100);
    check_pages("PAGEMAP_SCAN private", true, PAGES_PRIVATE);
}

/* What is no page, and no hole either: whoever reads it must get what the program would, and no store may show through. */
TEST(pagemap, markers_are_private)
{
    char *memory;
    uintptr_t start;
    int fd = memfd_create("unit", 0);

    unit_start("scan-off");
    CHECK(ftruncate(fd, (off_t)(8 * page_size)) == 0);
    memory = unit_map(8 * page_size);
    start = (uintptr_t)memory;
    CHECK_EQ(map_file(start, 8 * page_size, fd, 0), 0);
    if (madvise(memory + 3 * page_size, page_size, MADV_GUARD_INSTALL) != 0)
        SKIP("no guard markers in mappings of files: Linux before 6.15");
    CHECK_EQ(pagemap_any(PAGES_PRIVATE, start, start + 3 * page_size), 0);
    CHECK_EQ(pagemap_any(PAGES_PRIVATE, start + 3 * page_size, start + 4 * page_size), 1);
    unit_start("");
    CHECK_EQ(pagemap_any(PAGES_PRIVATE, start + 3 * page_size, start + 4 * page_size), 1);
    CHECK_EQ(pagemap_any(PAGES_PRIVATE, start + 4 * page_size, start + 8 * page_size), 0);
}

TEST(pagemap, both_variants_agree_page_for_page)
{
    char *memory;

    unit_start("");
    if (!have_scan())
        SKIP("no PAGEMAP_SCAN: Linux before 6.7");
    memory = make_mixture();
    for (int want = PAGES_PRIVATE; want <= PAGES_TOUCHED; want++) {
        ask(&pagemap_scan, (enum pagemap_want)want, memory, 100);
        memcpy(wanted, found, sizeof wanted);
        ask(&pagemap_read, (enum pagemap_want)want, memory, 100);
        for (size_t i = 0; i < PAGES; i++)
            if (want == PAGES_TOUCHED || states[i] != ZERO_READ)
                CHECK_AT(wanted[i] == found[i], i);
    }
}

TEST(pagemap, any_is_a_question_with_three_answers)
{
    char *memory;
    uintptr_t start;

    unit_start("");
    memory = unit_map(8 * page_size);
    start = (uintptr_t)memory;
    CHECK_EQ(pagemap_any(PAGES_TOUCHED, start, start + 8 * page_size), 0);
    memory[3 * page_size] = 1;
    CHECK_EQ(pagemap_any(PAGES_PRIVATE, start, start + 8 * page_size), 1);
    CHECK_EQ(pagemap_any(PAGES_PRIVATE, start, start + 3 * page_size), 0);
}

TEST(pagemap, off_is_an_error_and_not_an_answer)
{
    char *memory;

    unit_start("pagemap-off");
    memory = unit_map(page_size);
    CHECK(strcmp(pagemap_name(), "none") == 0);
    CHECK(pagemap_any(PAGES_TOUCHED, (uintptr_t)memory, (uintptr_t)memory + page_size) < 0);
}

TEST(pagemap, a_closed_proc_file_is_opened_again)
{
    char *memory;
    int fd;

    unit_start("");
    memory = unit_map(page_size);
    fd = procfile_use(PROCFILE_PAGEMAP);
    CHECK(fd >= 0);
    close(fd);
    CHECK_EQ(pagemap_any(PAGES_TOUCHED, (uintptr_t)memory, (uintptr_t)memory + page_size), 0);
}

/* Memory is short: as the kernel says it. */
TEST(pressure, is_read_from_what_the_kernel_says)
{
    CHECK(!pressure_stalls("some avg10=0.00 avg60=40.00 avg300=0.00 total=1\nfull avg10=50.00 avg60=0.00 avg300=0.00 total=1\n"));
    CHECK(pressure_stalls("some avg10=10.40 avg60=0.00 avg300=0.00 total=1\n"));
    CHECK(!pressure_stalls(""));
    CHECK(pressure_machine_full("MemTotal:       16000000 kB\nMemFree:  1 kB\nMemAvailable:     999999 kB\n"));
    CHECK(!pressure_machine_full("MemTotal:       16000000 kB\nMemFree:  1 kB\nMemAvailable:    1000001 kB\n"));
    CHECK(!pressure_machine_full("MemTotal:       16000000 kB\n"));
    CHECK(pressure_group_full(951, 1000));
    CHECK(!pressure_group_full(900, 1000));
}
