/* SPDX-License-Identifier: MIT */
/* Every call that copies or fills: the result is that of a loop over bytes, it returns what it should, and it is a shared copy where
   one can be. The shim's own counters say whether it was: each call is made in a child, which writes them when it exits. */
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

#include "story.h"

#define ROOM ((size_t)512 << 10) /* COWSHIM_MIN_SIZE is 64K here */
#define SIZE (ROOM / 2)
#define PAGE ((size_t)4096)
#define WIDE sizeof(wchar_t)

/* What glibc's headers call when _FORTIFY_SOURCE is set. */
void *__memcpy_chk(void *to, const void *from, size_t size, size_t room);
void *__memmove_chk(void *to, const void *from, size_t size, size_t room);
void *__mempcpy_chk(void *to, const void *from, size_t size, size_t room);
void *__memset_chk(void *to, int value, size_t size, size_t room);
wchar_t *__wmemcpy_chk(wchar_t *to, const wchar_t *from, size_t count, size_t room);
wchar_t *__wmemmove_chk(wchar_t *to, const wchar_t *from, size_t count, size_t room);
wchar_t *__wmempcpy_chk(wchar_t *to, const wchar_t *from, size_t count, size_t room);

typedef void *copy_call(void *to, const void *from, size_t size, size_t room);

/* Called through a pointer, so that no compiler makes something else of it. */
#define CALL(name, expression) \
    static void *call_##name(void *to, const void *from, size_t size, size_t room) \
    { \
        (void)room; \
        return (void *)(expression); \
    }
CALL(memcpy, memcpy(to, from, size))
CALL(memmove, memmove(to, from, size))
CALL(mempcpy, mempcpy(to, from, size))
CALL(bcopy, (bcopy(from, to, size), to))
CALL(wmemcpy, wmemcpy(to, from, size / WIDE))
CALL(wmemmove, wmemmove(to, from, size / WIDE))
CALL(wmempcpy, wmempcpy(to, from, size / WIDE))
CALL(memcpy_chk, __memcpy_chk(to, from, size, room))
CALL(memmove_chk, __memmove_chk(to, from, size, room))
CALL(mempcpy_chk, __mempcpy_chk(to, from, size, room))
CALL(wmemcpy_chk, __wmemcpy_chk(to, from, size / WIDE, room / WIDE))
CALL(wmemmove_chk, __wmemmove_chk(to, from, size / WIDE, room / WIDE))
CALL(wmempcpy_chk, __wmempcpy_chk(to, from, size / WIDE, room / WIDE))

static const struct {
    const char *name;
    copy_call *call;
    size_t unit;
    int returns_end, moves, checked;
} calls[] = {
    {"memcpy", call_memcpy, 1, 0, 0, 0},
    {"memmove", call_memmove, 1, 0, 1, 0},
    {"mempcpy", call_mempcpy, 1, 1, 0, 0},
    {"bcopy", call_bcopy, 1, 0, 1, 0},
    {"wmemcpy", call_wmemcpy, WIDE, 0, 0, 0},
    {"wmemmove", call_wmemmove, WIDE, 0, 1, 0},
    {"wmempcpy", call_wmempcpy, WIDE, 1, 0, 0},
    {"__memcpy_chk", call_memcpy_chk, 1, 0, 0, 1},
    {"__memmove_chk", call_memmove_chk, 1, 0, 1, 1},
    {"__mempcpy_chk", call_mempcpy_chk, 1, 1, 0, 1},
    {"__wmemcpy_chk", call_wmemcpy_chk, WIDE, 0, 0, 1},
    {"__wmemmove_chk", call_wmemmove_chk, WIDE, 0, 1, 1},
    {"__wmempcpy_chk", call_wmempcpy_chk, WIDE, 1, 0, 1},
};

/* Where copies begin and end, relative to the page. */
static const struct {
    size_t to, from, more;
} places[] = {
    {0, 0, 0},    {0, 0, 1},        {0, 0, PAGE - 1},     {4, 4, 0},          {PAGE - 4, PAGE - 4, 4},
    {PAGE, 0, 8}, {0, 3 * PAGE, 0}, {16, 16 + PAGE, 100}, {1, 1, 1},          {8, 0, 0},
    {0, 4, 12},   {1, 2, 3},        {PAGE - 1, 1, 0},     {64, 64, PAGE * 7}, {2048, 2048, 2044},
};

static unsigned char *from, *to, *twin; /* twin is changed by loops only */

static void copy_by_bytes(unsigned char *target, const unsigned char *source, size_t size)
{
    for (size_t i = 0; i < size; i++)
        target[i] = source[i];
}

static void move_by_bytes(unsigned char *target, const unsigned char *source, size_t size)
{
    if (target <= source)
        copy_by_bytes(target, source, size);
    else
        for (size_t i = size; i > 0; i--)
            target[i - 1] = source[i - 1];
}

static size_t first_difference(const unsigned char *a, const unsigned char *b, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (a[i] != b[i])
            return i;
    return SIZE_MAX;
}

static int copy_at_every_place(size_t n)
{
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        size_t size = (SIZE + places[i].more) / calls[n].unit * calls[n].unit;
        unsigned char *target = to + places[i].to;
        unsigned char *source = from + places[i].from;
        void *result;
        size_t wrong;

        if (((places[i].to | places[i].from) & (calls[n].unit - 1)) != 0)
            continue;
        paint(to, ROOM, 1);
        paint(twin, ROOM, 1);
        result = calls[n].call(target, source, size, ROOM - places[i].to);
        copy_by_bytes(twin + places[i].to, source, size);
        CHECK(result == target + (calls[n].returns_end ? size : 0), "%s, place %zu: returns something else", calls[n].name, i);
        wrong = first_difference(to, twin, ROOM);
        CHECK(wrong == SIZE_MAX, "%s, place %zu: byte %zu is wrong", calls[n].name, i, wrong);
        source[size / 2] ^= 1;
        target[size / 3] ^= 1;
        twin[places[i].to + size / 3] ^= 1;
        wrong = first_difference(to, twin, ROOM);
        CHECK(wrong == SIZE_MAX, "%s, place %zu: byte %zu changed with the original", calls[n].name, i, wrong);
        source[size / 2] ^= 1;
    }
    CHECK(first_wrong(from, ROOM, 0, 2) == SIZE_MAX, "%s changed its source", calls[n].name);
    return KEPT;
}

/* Within one block, forwards and backwards: by less than a page, by pages, and further than the copy is long. */
static int move_in_place(size_t n)
{
    static const size_t distances[] = {0, 4, PAGE, 3 * PAGE, 3 * PAGE + 4, SIZE - PAGE, SIZE};

    for (size_t i = 0; i < COUNT_OF(distances) * 2; i++) {
        size_t distance = distances[i / 2];
        size_t target = i % 2 == 0 ? distance : 0;
        size_t source = i % 2 == 0 ? 0 : distance;
        size_t wrong;

        if (distance < SIZE && !calls[n].moves)
            continue;
        paint(to, ROOM, 3);
        paint(twin, ROOM, 3);
        calls[n].call(to + target, to + source, SIZE, ROOM - target);
        move_by_bytes(twin + target, twin + source, SIZE);
        wrong = first_difference(to, twin, ROOM);
        CHECK(wrong == SIZE_MAX, "%s within a block by %zu: byte %zu is wrong", calls[n].name, distance, wrong);
    }
    return KEPT;
}

/* The number after the name in the line that the shim wrote last. */
static long counted(const char *path, const char *name)
{
    static char line[65536];
    char key[64];
    const char *found;
    FILE *file = fopen(path, "r");

    line[0] = '\0';
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        ;
    if (file != NULL)
        fclose(file);
    snprintf(key, sizeof key, "\"%s\":", name);
    found = strstr(line, key);
    return found == NULL ? -1 : atol(found + strlen(key));
}

static int in_child(int (*act)(size_t), size_t n)
{
    int status;
    pid_t pid;

    fflush(stdout);
    unlink(getenv("COWSHIM_STATS"));
    pid = fork();
    if (pid == 0)
        exit(act(n)); /* and not _exit: the summary is written there */
    CHECK(waitpid(pid, &status, 0) == pid && status == 0, "the child ended with status 0x%x", (unsigned)status);
    return KEPT;
}

static int each_call_copies_and_shares(void)
{
    for (size_t n = 0; n < COUNT_OF(calls); n++) {
        long congruent = 0, shared;

        for (size_t i = 0; i < COUNT_OF(places); i++)
            congruent += (places[i].to - places[i].from) % PAGE == 0 && ((places[i].to | places[i].from) & (calls[n].unit - 1)) == 0;
        if (in_child(copy_at_every_place, n) != KEPT)
            return BROKEN;
        shared = counted(getenv("COWSHIM_STATS"), "copies_shared");
        CHECK(shared == congruent, "%s: %ld of %ld copies were shared", calls[n].name, shared, congruent);
    }
    return KEPT;
}

static int each_call_moves_within_a_block(void)
{
    for (size_t n = 0; n < COUNT_OF(calls); n++) {
        if (in_child(move_in_place, n) != KEPT)
            return BROKEN;
        CHECK(counted(getenv("COWSHIM_STATS"), "copies_shared") > 0, "%s: nothing was shared", calls[n].name);
    }
    return KEPT;
}

/* Runs act in a child whose last words are read: glibc's, when it finds that the room is too small. */
static int dies_of_overflow(const char *name, void (*act)(size_t), size_t n)
{
    char words[512] = "";
    int ends[2], status;
    ssize_t got;
    pid_t pid;

    fflush(stdout);
    CHECK(pipe(ends) == 0, "no pipe");
    pid = fork();
    if (pid == 0) {
        dup2(ends[1], 2);
        setenv("LIBC_FATAL_STDERR_", "1", 1);
        act(n);
        _exit(0);
    }
    close(ends[1]);
    got = read(ends[0], words, sizeof words - 1);
    close(ends[0]);
    waitpid(pid, &status, 0);
    words[got > 0 ? got : 0] = '\0';
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%s into too small a room: status 0x%x", name, (unsigned)status);
    CHECK(strstr(words, "*** buffer overflow detected ***: terminated") != NULL, "%s says \"%s\"", name, words);
    return KEPT;
}

static void copy_too_much(size_t n)
{
    calls[n].call(to, from, SIZE, SIZE - calls[n].unit);
}

static void copy_a_little_too_much(size_t n)
{
    calls[n].call(to, from, 3 * calls[n].unit, 2 * calls[n].unit);
}

static void fill_too_much(size_t n)
{
    __memset_chk(to, 0, SIZE, SIZE - 1 - n);
}

static int too_small_a_room_is_reported(void)
{
    int broken = dies_of_overflow("__memset_chk", fill_too_much, 0);

    for (size_t n = 0; n < COUNT_OF(calls); n++)
        if (calls[n].checked) {
            broken |= dies_of_overflow(calls[n].name, copy_too_much, n);
            broken |= dies_of_overflow(calls[n].name, copy_a_little_too_much, n);
        }
    return broken;
}

static void *fill_memset(void *start, int value, size_t size)
{
    return memset(start, value, size);
}

static void *fill_memset_chk(void *start, int value, size_t size)
{
    return __memset_chk(start, value, size, size);
}

static void *fill_bzero(void *start, int value, size_t size)
{
    (void)value;
    bzero(start, size);
    return start;
}

/* What is filled is fresh, private, a view, or part of a view; its neighbours and the other view stay. */
static int fills(void)
{
    static const struct {
        void *(*call)(void *, int, size_t);
        int value;
    } fillers[] = {{fill_memset, 0},     {fill_memset, 0xa5},  {fill_memset, 0x1a5},
                   {fill_memset_chk, 0}, {fill_memset_chk, 7}, {fill_bzero, 0}};

    for (size_t n = 0; n < COUNT_OF(fillers); n++) {
        for (size_t i = 0; i < COUNT_OF(places) * 3; i++) {
            size_t at = places[i / 3].to, size = SIZE + places[i / 3].more;
            unsigned char *fresh = NULL, *block = to;
            size_t wrong;

            paint(twin, ROOM, 2);
            if (i % 3 == 0)
                memcpy(to, from, ROOM);
            else if (i % 3 == 1)
                paint(to, ROOM, 2);
            else
                block = fresh = calloc(1, ROOM);
            if (fresh != NULL)
                for (size_t j = 0; j < ROOM; j++)
                    twin[j] = 0;
            CHECK(fillers[n].call(block + at, fillers[n].value, size) == block + at, "filler %zu returns something else", n);
            for (size_t j = 0; j < size; j++)
                twin[at + j] = (unsigned char)fillers[n].value;
            wrong = first_difference(block, twin, ROOM);
            CHECK(wrong == SIZE_MAX, "filler %zu, place %zu: byte %zu is wrong", n, i, wrong);
            free(fresh);
        }
    }
    CHECK(first_wrong(from, ROOM, 0, 2) == SIZE_MAX, "filling one view changed the other");
    return KEPT;
}

/* No block of ours on one side or on both; a range that leaves its block. */
static int strangers_are_copied_too(void)
{
    static unsigned char outside[ROOM];
    unsigned char *near = malloc(SIZE);

    paint(outside, ROOM, 4);
    memcpy(to, outside, ROOM);
    CHECK(first_wrong(to, ROOM, 0, 4) == SIZE_MAX, "from outside");
    paint(to, ROOM, 5);
    memcpy(outside, to, ROOM);
    CHECK(first_wrong(outside, ROOM, 0, 5) == SIZE_MAX, "to outside");
    memcpy(outside, outside + ROOM / 2, ROOM / 2);
    CHECK(first_wrong(outside, ROOM / 2, ROOM / 2, 5) == SIZE_MAX, "outside");
    memcpy(near, to + SIZE, SIZE);
    CHECK(first_wrong(near, SIZE, SIZE, 5) == SIZE_MAX, "half of a block");
    free(near);
    return KEPT;
}

int main(void)
{
    static const struct story stories[] = {
        {"each copy call copies at every offset, returns its pointer, and is shared where it can be", each_call_copies_and_shares},
        {"each copy call moves within a block", each_call_moves_within_a_block},
        {"each _chk call ends the program with glibc's message when the room is too small", too_small_a_room_is_reported},
        {"memset and bzero fill views, private memory and fresh memory at every offset", fills},
        {"memory that is no block is copied as ever", strangers_are_copied_too},
    };

    if (getenv("COWSHIM_STATS") == NULL)
        return printf("# COWSHIM_STATS must name a file\n"), SKIPPED;
    from = malloc(ROOM);
    to = malloc(ROOM);
    twin = calloc(1, ROOM + PAGE);
    paint(from, ROOM, 2);
    return tell_all(stories, COUNT_OF(stories));
}
