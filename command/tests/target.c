/* SPDX-License-Identifier: MIT */
/* target COPIES PAGES [fork|close|other|none]: an array of that many pages and copies of it, of each of which a tenth is rewritten; then
   it says so, and sleeps. fork: a child rewrites half of one more copy, and says so too. close: it closes every descriptor by system
   calls of its own. other, none: it shows a page of another version instead, or one that is none. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/report/export_page.h"

static void close_all(void)
{
    for (int fd = 3; fd < 5000; fd++)
        syscall(SYS_close, fd);
}

static void show(uint64_t magic)
{
    struct export_header header = {.magic = magic, .version = EXPORT_VERSION + 1, .process = getpid()};
    int fd = memfd_create(EXPORT_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (write(fd, &header, sizeof header) != (ssize_t)sizeof header || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | 0x10) != 0)
        exit(99);
}

static void child(const char *array, size_t size)
{
    char *copy = malloc(size);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    memcpy(copy, array, size);
    memset(copy, 9, size / 2);
    printf("child %d\n", (int)getpid());
    fflush(stdout);
    pause();
}

int main(int argc, char **argv)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t copies = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
    size_t pages = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000;
    const char *more = argc > 3 ? argv[3] : "";
    char *array = malloc(pages * page);

    memset(array, 1, pages * page);
    for (size_t i = 0; i < copies; i++) {
        char *copy = malloc(pages * page);

        memcpy(copy, array, pages * page);
        for (size_t p = 0; p < pages / 10; p++) /* not by memset, which would come to us */
            copy[(pages / 10 * (i % 10) + p) * page] = 2;
    }
    if (strcmp(more, "close") == 0)
        close_all();
    if (strcmp(more, "other") == 0)
        show(EXPORT_MAGIC);
    if (strcmp(more, "none") == 0)
        show(0);
    printf("target %d\n", (int)getpid());
    fflush(stdout);
    if (strcmp(more, "fork") == 0 && fork() == 0)
        child(array, pages * page);
    pause();
    return 0;
}
