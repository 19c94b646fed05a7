/* SPDX-License-Identifier: MIT */
/* The main story: everything that a program does with large arrays, each byte compared with its shadow (scene.h). It says nothing of
   what is shared: it must hold in any environment, natively too. "small", "large", "descriptors", "exit", "crowded", "held",
   "registered" and "anon" (with COWSHIM_SCOPE=anon) pick parts of it. Exit 0: all is right, and nothing is left behind; 3: all is right,
   but views are left, which may be where the kernel refuses every mapping. */
#include <dirent.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

static int open_at_start;

static void copies(void)
{
    step = "copies";
    make(0, SMALL, 0);
    make(1, SMALL, 0);
    make(2, SMALL, 0);
    write_all(0, 1);
    copy(1, 0, 0, 0, SMALL);
    copy(2, 0, 1, 0, SMALL);
    check_all();
    step = "writes on both sides";
    scribble(0, 0, SMALL, 8 * PAGE, 2);
    scribble(1, PAGE, SMALL, 8 * PAGE, 3);
    compare(0, 1);
    check_all();
    step = "copies again, of a part, at odd ends";
    copy(2, 0, 0, 0, SMALL);
    copy(1, 100, 2, 100, SMALL - 300);
    copy(2, 0, 2, SMALL / 2, SMALL / 2);
    check_all();
    step = "unaligned, and overlapping";
    copy(1, 1, 0, 0, SMALL - PAGE);
    check_all();
}

static void fills(void)
{
    step = "fills";
    copy(1, 0, 0, 0, SMALL);
    fill(1, 0, SMALL, 7);
    copy(1, 0, 0, 0, SMALL);
    fill(1, PAGE / 2, SMALL - PAGE / 2, 0);
    check_all();
    step = "MADV_DONTNEED";
    copy(1, 0, 0, 0, SMALL);
    discard(1, 0, SMALL / 2);
    check_all();
    copy(2, 0, 1, 0, SMALL);
    check_all();
}

static void sparse(void)
{
    step = "sparse";
    make(3, SMALL, 1);
    scribble(3, 4 * PAGE, 20 * PAGE, 2 * PAGE, 5);
    make(4, SMALL, 1);
    copy(4, 0, 3, 0, SMALL);
    check_all();
    fill(3, 0, SMALL, 0);
    check_all();
    end(3);
    end(4);
}

static void resizes(void)
{
    step = "realloc";
    copy(1, 0, 0, 0, SMALL);
    resize(1, GROWN);
    check_all();
    fill(1, SMALL, GROWN, 9);
    copy(2, 0, 1, GROWN - SMALL, SMALL);
    resize(1, SMALL);
    check_all();
}

/* Every other page is written anew between two copies, until all of it is sealed as one piece. */
static void scattered(void)
{
    step = "scattered writes";
    for (unsigned char round = 0; round < 4; round++) {
        scribble(0, 0, SMALL, 2 * PAGE, round);
        copy(1, 0, 0, 0, SMALL);
    }
    check_all();
    step = "both sides written whole";
    write_all(0, 11);
    write_all(1, 12);
    copy(2, 0, 0, 0, SMALL);
    write_all(2, 13);
    write_all(0, 14);
    copy(1, 0, 2, 0, SMALL);
    check_all();
}

/* What the program declares its own business, and takes back. These calls may fail for lack of memory, with their own errno. */
static void declared(void)
{
    size_t from = 0, to = SMALL;
    unsigned char *start = pages_of(1, &from, &to);

    step = "protected";
    copy(1, 0, 0, 0, SMALL);
    if (mprotect(start, to - from, PROT_READ) == 0) {
        check_all();
        copy(2, 0, 1, 0, SMALL);
        check_all();
        discard(1, SMALL / 4, SMALL / 2);
        check_all();
        if (mprotect(start, to - from, PROT_READ | PROT_WRITE) != 0)
            fail("mprotect", 1, (size_t)errno);
    }
    scribble(1, 0, SMALL, PAGE, 6);
    check_all();
    step = "marked";
    copy(1, 0, 0, 0, SMALL);
    madvise(start, to - from, MADV_DONTDUMP);
    check_all();
    madvise(start, to - from, MADV_DODUMP);
    copy(2, 0, 1, 0, SMALL);
    scribble(1, 0, SMALL, PAGE, 7);
    check_all();
    end(1);
    make(1, SMALL, 0);
    copy(1, 0, 0, 0, SMALL);
}

/* Parent and child both write on, copy and free. */
static void forks(void)
{
    int status;
    pid_t pid;

    step = "fork";
    copy(1, 0, 0, 0, SMALL);
    pid = fork();
    if (pid == 0) {
        in_child = 1;
        check_all();
        scribble(0, 0, SMALL, PAGE, 21);
        copy(2, 0, 0, 0, SMALL);
        copy(1, 0, 2, 0, SMALL);
        check_all();
        end(0);
        discard(1, 0, SMALL / 2);
        check_all();
        _exit(0);
    }
    scribble(1, 0, SMALL, PAGE, 22);
    copy(2, 0, 1, 0, SMALL);
    copy(0, 0, 2, 0, SMALL);
    check_all();
    if (pid > 0 && (waitpid(pid, &status, 0) != pid || status != 0))
        fail("the child failed", 0, (size_t)status);
    check_all();
}

/* The program takes every descriptor number up to 4200 that it likes: ours must get out of the way, and go on. */
static void descriptors(void)
{
    step = "descriptors";
    make(0, SMALL, 0);
    make(1, SMALL, 0);
    write_all(0, 33);
    copy(1, 0, 0, 0, SMALL);
    for (int number = 700; number < 4200; number += number == 800 ? 3280 : 1)
        if (dup2(1, number) == number)
            close(number);
    scribble(0, 0, SMALL, PAGE, 23);
    copy(1, 0, 0, 0, SMALL);
    check_all();
    end(0);
    end(1);
}

static void large(void)
{
    step = "large";
    madvise(shadows[3], 2 * LARGE, MADV_HUGEPAGE); /* only to be quick */
    make(3, LARGE, 0);
    make(4, LARGE, 0);
    for (int i = 3; i < 5; i++) {
        size_t from = 0, to = LARGE;
        void *start = pages_of(i, &from, &to);

        madvise(start, to - from, MADV_HUGEPAGE);
    }
    write_all(3, 30);
    copy(4, 0, 3, 0, LARGE);
    check(4);
    scribble(3, 0, LARGE, 1 << 20, 31);
    scribble(4, PAGE, LARGE, 1 << 20, 32);
    check(3);
    check(4);
    fill(4, 0, LARGE, 33);
    end(3);
    check(4);
    end(4);
}

/* A copy is marked when something may hold its pages where they are: those that show a store become the program's own in place.
   Whatever else there is left plain from here on. */
static void held(void)
{
    size_t from = 0, to = SMALL;
    unsigned long context = 0;
    unsigned char *start;

    step = "held";
    make(0, SMALL, 0);
    make(1, SMALL, 0);
    write_all(0, 50);
    copy(1, 0, 0, 0, SMALL);
    if (syscall(SYS_io_setup, 1, &context) == 0)
        syscall(SYS_io_destroy, context);
    start = pages_of(1, &from, &to);
    madvise(start, to - from, MADV_DONTDUMP);
    check_all();
    scribble(0, 0, SMALL, PAGE, 51);
    scribble(1, PAGE / 2, SMALL, PAGE, 52);
    check_all();
    end(0);
    end(1);
}

/* Memory from mmap instead of malloc, cut and protected by the program. */
static void anonymous(void)
{
    step = "anonymous";
    for (int i = 0; i < 3; i++) {
        arrays[i].memory = mmap(NULL, SMALL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        arrays[i].shadow = shadows[i];
        arrays[i].size = SMALL;
        fill(i, 0, SMALL, 0);
    }
    cowshim_register(arrays[0].memory, SMALL, 0); /* a wish, and nothing without the shim */
    write_all(0, 40);
    copy(1, 0, 0, 0, SMALL);
    copy(2, 0, 1, 0, SMALL);
    scribble(0, 0, SMALL, 4 * PAGE, 41);
    check_all();
    discard(1, SMALL / 2, SMALL);
    check_all();
    if (mprotect(arrays[2].memory, SMALL / 2, PROT_READ) == 0) {
        discard(2, 0, SMALL / 4);
        check_all();
        if (mprotect(arrays[2].memory, SMALL / 2, PROT_READ | PROT_WRITE) != 0)
            fail("mprotect", 2, (size_t)errno);
    }
    copy(2, 0, 0, 0, SMALL);
    munmap(arrays[2].memory + SMALL / 2, SMALL / 2);
    arrays[2].size = SMALL / 2;
    check_all();
    for (int i = 0; i < 3; i++) {
        munmap(arrays[i].memory, arrays[i].size);
        arrays[i].memory = NULL;
    }
}

static int shown_stores(void)
{
    char line[512];
    int count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");

    while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
        count += strstr(line, "/memfd:cowshim (") != NULL || strstr(line, " /#") != NULL;
    if (maps != NULL)
        fclose(maps);
    return count;
}

/* Each of the kernel's files at most once, the userfaultfd, the mount, one open store of each kind, and the exported page. */
#define OURS_AT_REST 8

static int open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = -3; /* the directory itself, and the entries . and .. */

    while (directory != NULL && readdir(directory) != NULL)
        count++;
    if (directory != NULL)
        closedir(directory);
    return count;
}

static void leaks(void)
{
    int shown = shown_stores();
    int open = open_descriptors() - open_at_start;

    step = "the end";
    if (shown != 0)
        end_with(3, "views are left", 0, (size_t)shown);
    if (open > OURS_AT_REST)
        fail("descriptors are left", 0, (size_t)open);
}

/* The program has all the mappings that it may have, but these few. */
static void leave_mappings(size_t left)
{
    static unsigned char *crowd;
    static size_t most, split;
    FILE *file = fopen("/proc/sys/vm/max_map_count", "r");

    if (crowd == NULL) {
        if (file == NULL || fscanf(file, "%zu", &most) != 1)
            exit(77);
        crowd = mmap(NULL, most * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    }
    if (file != NULL)
        fclose(file);
    /* Each page that differs from its neighbours makes two mappings more; until there is no room for them. */
    while (mprotect(crowd + split * PAGE, PAGE, PROT_READ) == 0)
        split += 2;
    for (size_t i = 0; i < left / 2 && split > 0; i++) {
        split -= 2;
        mprotect(crowd + split * PAGE, PAGE, PROT_NONE);
    }
}

static void small(void);
static void leaks(void);

/* With hardly a mapping left; afterwards there is room again, and what got stuck is given back. With still fewer the program
   itself is refused memory some time: then this is the end, but until there no byte may be wrong. */
static void crowded(void)
{
    for (size_t left = 60; left >= 40; left -= 4) {
        leave_mappings(left);
        small();
    }
    leave_mappings(1000);
    for (int i = 0; i < 64; i++) {
        make(0, SMALL, 0);
        end(0);
    }
    leaks();
    status_without_memory = 0;
    for (size_t left = 36; left >= 4; left -= 4) {
        leave_mappings(left);
        small();
    }
}

static void small(void)
{
    copies();
    fills();
    sparse();
    resizes();
    scattered();
    declared();
    forks();
    for (int i = 0; i < 3; i++)
        end(i);
}

/* A program that ends as it stands. */
static void unfreed(void)
{
    copies();
    exit(0);
}

int main(int argc, char **argv)
{
    const char *part = argc > 1 ? argv[1] : "all";
    int all = strcmp(part, "all") == 0;

    open_at_start = open_descriptors();
    if (all || strcmp(part, "small") == 0)
        small();
    if (all || strcmp(part, "large") == 0)
        large();
    if (all || strcmp(part, "descriptors") == 0)
        descriptors();
    if (all || strcmp(part, "anon") == 0 || strcmp(part, "registered") == 0)
        anonymous();
    if (strcmp(part, "held") == 0)
        held();
    if (strcmp(part, "exit") == 0)
        unfreed();
    if (strcmp(part, "crowded") == 0)
        crowded();
    /* What could not be given back at once is given back by and by. */
    step = "afterwards";
    make(0, SMALL, 0);
    end(0);
    leaks();
    return 0;
}
