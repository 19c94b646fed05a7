/* SPDX-License-Identifier: MIT */
/* The program's descriptors are what they would be without us, and ours outlive whatever the program does to numbers; what does not
   outlive it costs a shared copy, and never a byte. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "story.h"

#define SIZE ((size_t)2 << 20)
#define MOST 64

static unsigned char *from, *to;

/* A copy of private pages: stores, pagemap, maps and status come to work. */
static int copy_works(unsigned salt, bool shared)
{
    paint(from, SIZE, salt);
    memcpy(to, from, SIZE);
    CHECK(first_wrong(to, SIZE, 0, salt) == SIZE_MAX, "the copy is wrong");
    CHECK(!shared || shows_store(to, SIZE), "the copy is not shared");
    to[5] ^= 1;
    from[SIZE / 2] ^= 1;
    CHECK(first_wrong(to + SIZE / 2, SIZE / 2, SIZE / 2, salt) == SIZE_MAX, "the copy follows its original");
    return KEPT;
}

/* The numbers that nobody here opened: those of the shim. Its files have these names. */
static int find_ours(int *numbers)
{
    static const char *const names[] = {"/memfd:cowshim", "/#", "/proc/"};
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;
    struct dirent *entry;

    while (directory != NULL && (entry = readdir(directory)) != NULL && count < MOST) {
        char target[256] = "";
        int number = atoi(entry->d_name);

        if (entry->d_name[0] == '.' || number == dirfd(directory) ||
            readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1) < 0)
            continue;
        for (size_t i = 0; i < COUNT_OF(names); i++)
            if (strncmp(target, names[i], strlen(names[i])) == 0) {
                numbers[count++] = number;
                break;
            }
    }
    if (directory != NULL)
        closedir(directory);
    return count;
}

/* Each story in a child: they leave nothing as it was. */
static int apart(int (*tell)(void))
{
    int status;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        int broken = copy_works(1, true) | tell();

        fflush(stdout);
        _exit(broken);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0, "the child ended with status 0x%x", (unsigned)status);
    return KEPT;
}

static int close_each(void)
{
    int numbers[MOST], count = find_ours(numbers);

    CHECK(count > 0, "no descriptor of ours was found");
    for (int i = 0; i < count; i++) {
        errno = 0;
        CHECK(close(numbers[i]) == -1 && errno == EBADF, "close(%d): errno %d", numbers[i], errno);
    }
    for (int fd = 3; fd < 1024; fd++)
        close(fd);
    return copy_works(2, true);
}

static int close_ranges(void)
{
    CHECK(close_range(3, ~0U, 0) == 0, "close_range: %s", strerror(errno));
    if (copy_works(3, true) != KEPT)
        return BROKEN;
    CHECK(close_range(9, 3, 0) == -1 && errno == EINVAL, "a range that ends before it begins");
    closefrom(3);
    return copy_works(4, true);
}

static int close_by_system_call(void)
{
    int numbers[MOST], count = find_ours(numbers), low;

    syscall(SYS_close_range, 3, ~0U, 0);
    low = open("/dev/null", O_RDONLY);
    CHECK(low == 3, "the lowest number is %d", low);
    /* These numbers are the program's now: they can be taken, used and closed. */
    for (int i = 0; i < count; i++)
        CHECK((i % 2 == 0 ? dup2(low, numbers[i]) : syscall(SYS_dup3, low, numbers[i], 0)) == numbers[i], "dup2 to %d: %s", numbers[i],
              strerror(errno));
    for (int i = 0; i < count; i++) {
        struct stat status;

        CHECK(fstat(numbers[i], &status) == 0 && S_ISCHR(status.st_mode), "fstat(%d): %s", numbers[i], strerror(errno));
        CHECK(fcntl(numbers[i], F_GETFD) == 0, "fcntl(%d): %s", numbers[i], strerror(errno));
        if (i == count / 2 && copy_works(5, false) != KEPT)
            return BROKEN;
        CHECK(close(numbers[i]) == 0, "close(%d): %s", numbers[i], strerror(errno));
    }
    return copy_works(6, false);
}

static int ask_about_ours(void)
{
    int numbers[MOST], count = find_ours(numbers);
    struct stat status;

    for (int i = 0; i < count; i++) {
        CHECK(fcntl(numbers[i], F_GETFD) == -1 && errno == EBADF, "F_GETFD");
        CHECK(fcntl(numbers[i], F_SETFD, 0) == -1 && errno == EBADF, "F_SETFD");
        CHECK(fcntl(numbers[i], F_DUPFD, 3) == -1 && errno == EBADF, "F_DUPFD");
        CHECK(dup(numbers[i]) == -1 && errno == EBADF, "dup");
        CHECK(dup2(numbers[i], 200) == -1 && errno == EBADF, "dup2");
        CHECK(dup3(numbers[i], 200, 0) == -1 && errno == EBADF, "dup3");
        CHECK(fstat(numbers[i], &status) == -1 && errno == EBADF, "fstat");
    }
    return copy_works(7, true);
}

static int take_our_numbers(void)
{
    int numbers[MOST], count = find_ours(numbers);

    for (int i = 0; i < count; i++) {
        int got = i % 2 == 0 ? dup2(2, numbers[i]) : dup3(2, numbers[i], O_CLOEXEC);

        CHECK(got == numbers[i], "dup2 to %d: %s", numbers[i], strerror(errno));
        CHECK(fcntl(got, F_GETFD) == (i % 2 == 0 ? 0 : FD_CLOEXEC), "the number is not the program's");
    }
    if (copy_works(8, true) != KEPT)
        return BROKEN;
    for (int i = 0; i < count; i++)
        CHECK(close(numbers[i]) == 0, "close(%d): %s", numbers[i], strerror(errno));
    return copy_works(9, true);
}

static _Atomic bool stop;

/* Little is new in each copy, so that there are many. */
static void *copy_on(void *unused)
{
    uintptr_t broken = 0;

    for (size_t at = 0; !stop; at = (at + SIZE / 16) % SIZE) {
        for (size_t i = at; i < at + SIZE / 16; i += 4096)
            from[i]++;
        memcpy(to, from, SIZE);
        broken |= to[at] != from[at];
    }
    return (void *)(broken + (uintptr_t)unused);
}

/* The store's number becomes a file of the program's just when the copy writes to it. */
static int take_numbers_in_use(void)
{
    FILE *file = tmpfile();
    int numbers[MOST], count = find_ours(numbers);
    pthread_t thread;
    struct stat status;
    void *broken;

    CHECK(file != NULL && pthread_create(&thread, NULL, copy_on, NULL) == 0, "no file or no thread");
    for (int round = 0; round < 20000; round++) {
        int number = numbers[round % count];

        CHECK(dup2(fileno(file), number) == number, "dup2 to %d: %s", number, strerror(errno));
        CHECK(close(number) == 0, "close(%d): %s", number, strerror(errno));
    }
    stop = true;
    pthread_join(thread, &broken);
    CHECK(fstat(fileno(file), &status) == 0 && status.st_size == 0, "%ld bytes of blocks are in the program's file", (long)status.st_size);
    CHECK(broken == NULL, "a copy is wrong");
    return KEPT;
}

static int lower_limits(void)
{
    static const rlim_t limits[] = {512, 64, 16};

    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        struct rlimit limit = {limits[i], limits[i]};
        rlim_t opened = 0;
        int fd, last = 2;

        closefrom(3);
        CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
        if (copy_works(20 + (unsigned)i, false) != KEPT)
            return BROKEN;
        while ((fd = dup(0)) >= 0) {
            CHECK(fd == last + 1 || fd > last, "number %d after %d", fd, last);
            last = fd;
            opened++;
        }
        CHECK(errno == EMFILE, "dup: %s", strerror(errno));
        CHECK(opened >= limits[i] - 3 - limits[i] / 4, "only %lu of %lu could be opened", (unsigned long)opened,
              (unsigned long)limits[i] - 3);
        if (copy_works(30 + (unsigned)i, false) != KEPT)
            return BROKEN;
    }
    return KEPT;
}

static int waiting_works(void)
{
    struct timeval now = {0, 0};
    struct epoll_event event = {.events = EPOLLIN, .data.fd = 7};
    struct pollfd polled;
    fd_set set;
    int ends[2], epoll;

    CHECK(pipe(ends) == 0, "no pipe");
    epoll = epoll_create1(0);
    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event) == 0, "epoll_ctl: %s", strerror(errno));
    for (int round = 0; round < 2; round++) {
        polled = (struct pollfd){ends[0], POLLIN, 0};
        FD_ZERO(&set);
        FD_SET(ends[0], &set);
        CHECK(ends[1] < FD_SETSIZE && epoll < FD_SETSIZE, "numbers are too high for select");
        CHECK(poll(&polled, 1, 0) == round && select(ends[0] + 1, &set, NULL, NULL, &now) == round, "poll or select");
        CHECK(epoll_wait(epoll, &event, 1, 0) == round, "epoll");
        if (copy_works(40, true) != KEPT)
            return BROKEN;
        CHECK(write(ends[1], from, 100) == 100, "write");
    }
    return KEPT;
}

/* What the program is told about its numbers, with copies in between. */
static void transcript(char *text, size_t size)
{
    size_t used = 0;
    int ends[2], pair[2], first = -1;
    FILE *file;

#define NOTE(...) used += (size_t)snprintf(text + used, size - used, __VA_ARGS__)
    closefrom(3);
    for (int round = 0; round < 3; round++) {
        first = open("/dev/null", O_RDWR);
        NOTE("open %d, ", first);
        copy_works(50, false);
        NOTE("dup %d %d, ", dup(0), fcntl(0, F_DUPFD, 50));
        NOTE("pipe %d", pipe(ends));
        NOTE(" %d %d, ", ends[0], ends[1]);
        copy_works(51, false);
        NOTE("close %d, ", close(ends[0]));
        NOTE("pair %d", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
        NOTE(" %d %d, ", pair[0], pair[1]);
        free(malloc(SIZE));
        file = fopen("/dev/null", "r");
        NOTE("fopen %d, ", fileno(file));
        NOTE("fclose %d, ", fclose(file));
        NOTE("dup2 %d %d, ", dup2(first, 100 + round), dup2(first, 3000 + round)); /* some way above the rest */
        NOTE("not open %d %d %d\n# ", close(90), fcntl(91, F_GETFD), dup2(92, 93));
    }
#undef NOTE
}

/* The same program, started again without us. */
static int numbers_are_as_without_us(void)
{
    static char here[8192], there[8192];
    size_t length = 0;
    ssize_t got;
    int ends[2];
    pid_t pid;

    CHECK(pipe(ends) == 0, "no pipe");
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        dup2(ends[1], 1);
        unsetenv("LD_PRELOAD");
        execl("/proc/self/exe", "descriptors", "transcript", NULL);
        _exit(127);
    }
    close(ends[1]);
    while ((got = read(ends[0], there + length, sizeof there - 1 - length)) > 0)
        length += (size_t)got;
    waitpid(pid, NULL, 0);
    transcript(here, sizeof here);
    CHECK(length > 0 && strcmp(here, there) == 0, "with us:\n# %s\n# without:\n# %s", here, there);
    return KEPT;
}

/* The listing is the one place where they show: high, and nowhere else. */
static int listed_numbers_are_high(void)
{
    int numbers[MOST], count;

    closefrom(3);
    count = find_ours(numbers);
    CHECK(count > 0 && count < 32, "%d descriptors are ours", count);
    for (int i = 0; i < count; i++)
        CHECK(numbers[i] >= 256, "one of ours is number %d", numbers[i]);
    return KEPT;
}

/* In a fresh program: a child has its parent's files as well. */
static int four_are_missing(void)
{
    int free_ones = 0;

    closefrom(3);
    CHECK(copy_works(60, true) == KEPT, "no shared copy");
    while (dup(0) >= 0)
        free_ones++;
    CHECK(free_ones >= 253 - 4, "%d of 253 numbers are left", free_ones);
    return copy_works(61, false);
}

static int few_are_missing(void)
{
    struct rlimit limit = {256, 256};
    int status;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        setrlimit(RLIMIT_NOFILE, &limit); /* before ours are opened: with higher numbers than these they would not be missing */
        execl("/proc/self/exe", "descriptors", "few", NULL);
        _exit(127);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0, "the child ended with status 0x%x", (unsigned)status);
    return KEPT;
}

#define APART(story) \
    static int story##_apart(void) \
    { \
        return apart(story); \
    }
APART(close_each)
APART(close_ranges)
APART(close_by_system_call)
APART(ask_about_ours)
APART(take_our_numbers)
APART(take_numbers_in_use)
APART(lower_limits)
APART(waiting_works)
APART(numbers_are_as_without_us)
APART(listed_numbers_are_high)

/* descriptors [transcript | few] */
int main(int count, char **words)
{
    static const struct story stories[] = {
        {"closing 3 to 1023 and each of ours leaves ours alone", close_each_apart},
        {"so do close_range(3, ~0) and closefrom", close_ranges_apart},
        {"what a system call closed is gone, and the numbers are the program's", close_by_system_call_apart},
        {"fcntl, dup and fstat find nothing at our numbers", ask_about_ours_apart},
        {"dup2 and dup3 onto our numbers get them, and ours move", take_our_numbers_apart},
        {"and while copies write to them, no byte reaches the program's file", take_numbers_in_use_apart},
        {"RLIMIT_NOFILE may be lowered at any time", lower_limits_apart},
        {"poll, select and epoll see what they should", waiting_works_apart},
        {"every number that the program is given is the one that it gets without us", numbers_are_as_without_us_apart},
        {"/proc/self/fd lists ours with high numbers only", listed_numbers_are_high_apart},
        {"of 256 numbers four are missing, no more", few_are_missing},
    };

    from = malloc(SIZE);
    to = malloc(SIZE);
    if (count > 1 && strcmp(words[1], "few") == 0)
        return four_are_missing();
    if (count > 1) {
        static char text[8192];

        transcript(text, sizeof text);
        fputs(text, stdout);
        return 0;
    }
    return words[0] == NULL || tell_all(stories, COUNT_OF(stories));
}
