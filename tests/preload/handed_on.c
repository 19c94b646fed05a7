/* SPDX-License-Identifier: MIT */
/* Pages that the kernel was given to hand on, to a pipe or a socket, and files that it reads past the page cache. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "held.h"

/* What the kernel was to hand on is right although its memory was given back, and the original is overwritten. */
static bool splice_it(unsigned char *memory, size_t size, int *end)
{
    struct iovec range = {memory, size};
    int pipes[2];

    if (pipe(pipes) != 0 || vmsplice(pipes[1], &range, 1, SPLICE_F_GIFT) != (ssize_t)size)
        return false;
    *end = pipes[0];
    return true;
}

static bool splice_by_number(unsigned char *memory, size_t size, int *end)
{
    struct iovec range = {memory, size};
    int pipes[2];

    if (pipe(pipes) != 0 || syscall(SYS_vmsplice, pipes[1], &range, 1, SPLICE_F_GIFT) != (long)size)
        return false;
    *end = pipes[0];
    return true;
}

static bool send_it(unsigned char *memory, size_t size, int *end)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof here;
    int yes = 1, few = PAGE, server = socket(AF_INET, SOCK_STREAM, 0), sender = socket(AF_INET, SOCK_STREAM, 0);

    /* The receiver has no room, so that all waits with the sender. */
    if (setsockopt(server, SOL_SOCKET, SO_RCVBUF, &few, sizeof few) != 0 || bind(server, (struct sockaddr *)&here, length) != 0 ||
        listen(server, 1) != 0 || getsockname(server, (struct sockaddr *)&here, &length) != 0 ||
        setsockopt(sender, SOL_SOCKET, SO_ZEROCOPY, &yes, sizeof yes) != 0 || connect(sender, (struct sockaddr *)&here, length) != 0 ||
        send(sender, memory, size, MSG_ZEROCOPY) != (ssize_t)size)
        return false;
    *end = accept(server, NULL, NULL);
    return *end >= 0;
}

static bool (*hand_on)(unsigned char *memory, size_t size, int *end);

static int overwrite_before_read(size_t overwritten)
{
    enum { SENT = 8 * PAGE };
    static unsigned char got[SENT];
    unsigned char *origin = aligned_alloc(SIZE / 2, SIZE), *copy = aligned_alloc(SIZE / 2, SIZE);
    size_t length = 0;
    ssize_t more;
    int end;

    paint(origin, SIZE, 6);
    memcpy(copy, origin, SIZE);
    if (!hand_on(copy + SIZE / 4, SENT, &end)) {
        printf("# this is not to be had here: error %d\n", errno);
        return SKIPPED;
    }
    free(copy);
    explicit_bzero(origin + SIZE / 4 - overwritten / 4, overwritten); /* what nobody shows any more is given back at once */
    while (length < SENT && (more = read(end, got + length, SENT - length)) > 0)
        length += (size_t)more;
    CHECK(length == SENT, "only %zu bytes came", length);
    CHECK(holds(got, SENT, SIZE / 4, 6), "what came is not what was sent");
    return KEPT;
}

static int overwrite_some(void)
{
    return overwrite_before_read(64 * PAGE);
}

static int overwrite_all(void)
{
    return overwrite_before_read(SIZE);
}

#define HANDED_ON(name) \
    static int name##_some(void) \
    { \
        hand_on = name; \
        return in_child(overwrite_some); \
    } \
    static int name##_all(void) \
    { \
        hand_on = name; \
        return in_child(overwrite_all); \
    }

HANDED_ON(splice_it)
HANDED_ON(splice_by_number)
HANDED_ON(send_it)

/* A file becomes one that is read past the page cache, without any new number. */
static int direct_later(void)
{
    unsigned char *from = block(4), *to = malloc(SIZE), *other = malloc(SIZE), *third = malloc(SIZE);
    int file = open(".", O_TMPFILE | O_RDWR, 0600);

    if (file < 0)
        file = open("/proc/self/exe", O_RDONLY);
    memcpy(other, from, SIZE);
    memcpy(third, from, SIZE); /* the descriptors are looked at, a moment before */
    if (fcntl(file, F_SETFL, O_DIRECT) != 0) {
        printf("# no O_DIRECT here: error %d\n", errno);
        return SKIPPED;
    }
    memcpy(to, from, SIZE);
    CHECK(!shows_store(to, SIZE), "a copy was shared although a file is read directly");
    return KEPT;
}

static int direct_afterwards(void)
{
    return in_child(direct_later);
}

int main(void)
{
    static const struct story stories[] = {
        {"what lies in a pipe is right when its memory is freed and some of the original overwritten", splice_it_some},
        {"when all of it is", splice_it_all},
        {"the same when it was spliced by number", splice_by_number_some},
        {"and all overwritten", splice_by_number_all},
        {"what waits to be sent without copying is right when its memory is freed and some of the original overwritten", send_it_some},
        {"and when all of it is", send_it_all},
        {"a file that becomes one of O_DIRECT later is noticed", direct_afterwards},
    };

    return tell_all(stories, COUNT_OF(stories));
}
