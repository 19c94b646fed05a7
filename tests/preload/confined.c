/* SPDX-License-Identifier: MIT */
/* Programs that shut themselves in, and are killed for any system call that they do not make themselves: what they copy, free and resize
   afterwards, and their end, is as it would be without us. Each in a child of its own, for there is no way back. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "story.h"

#define SIZE ((size_t)4 << 20)
#define PAGE ((size_t)4096)
#define KILL SECCOMP_RET_KILL_PROCESS

static struct sock_filter filter[64];
static unsigned short filter_length;

static void add(unsigned short code, uint32_t k, unsigned char yes, unsigned char no)
{
    filter[filter_length++] = (struct sock_filter){code, yes, no, k};
}

static void allow(long number)
{
    add(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1);
    add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

/* What malloc, stdio and the end of a process need. */
static struct sock_fprog *killing_filter(void)
{
    static const long allowed[] = {SYS_read, SYS_write,  SYS_exit,   SYS_exit_group,  SYS_brk,
                                   SYS_mmap, SYS_munmap, SYS_mremap, SYS_rt_sigreturn};
    static struct sock_fprog program = {0, filter};

    filter_length = 0;
    add(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
    for (size_t i = 0; i < COUNT_OF(allowed); i++)
        allow(allowed[i]);
    return &program;
}

static int shut_in(struct sock_fprog *program, long (*enter)(struct sock_fprog *))
{
    add(BPF_RET | BPF_K, KILL, 0, 0);
    program->len = filter_length;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && enter(program) == 0)
        return 0;
    printf("# no filter can be set here\n");
    return -1;
}

static long by_prctl(struct sock_fprog *program)
{
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program);
}

static long by_seccomp(struct sock_fprog *program)
{
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program);
}

static long by_seccomp_for_all(struct sock_fprog *program)
{
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, program);
}

static long by_number(struct sock_fprog *program)
{
    return syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0);
}

static int in_child(int (*tell)(void))
{
    int status;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0)
        exit(tell()); /* all of the end of a process is a part of the story */
    if (child < 0 || waitpid(child, &status, 0) != child)
        return BROKEN;
    CHECK(WIFEXITED(status), "the child ended by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

/* Blocks in all states: an original, its copy, a copy of which a part was written, one that has no view. */
struct blocks {
    unsigned char *original, *copy, *written, *own;
};

static struct blocks make_blocks(void)
{
    struct blocks blocks = {malloc(SIZE), malloc(SIZE), malloc(SIZE), malloc(SIZE)};

    paint(blocks.original, SIZE, 1);
    memcpy(blocks.copy, blocks.original, SIZE);
    memcpy(blocks.written, blocks.original, SIZE);
    memset(blocks.written + 5 * PAGE, 7, 3 * PAGE);
    paint(blocks.own, SIZE, 2);
    return blocks;
}

static int use_blocks(struct blocks *blocks)
{
    unsigned char *fresh = malloc(SIZE);

    memcpy(fresh, blocks->copy, SIZE);
    CHECK(holds(fresh, SIZE, 0, 1), "a copy of a copy is wrong");
    blocks->original[17]++;
    CHECK(holds(blocks->copy, SIZE, 0, 1), "the copy changed with the original");
    memcpy(blocks->copy, blocks->own, SIZE);
    memset(blocks->written, 0, SIZE / 2);
    CHECK(holds(blocks->copy, SIZE, 0, 2), "what was copied into a view is wrong");
    CHECK(zero(blocks->written, SIZE / 2), "what was filled is not zero");
    CHECK(malloc_usable_size(blocks->written) >= SIZE, "too little may be used");
    blocks->copy = realloc(blocks->copy, 2 * SIZE);
    blocks->own = realloc(blocks->own, 3 * SIZE);
    blocks->written = realloc(blocks->written, SIZE / 4);
    CHECK(holds(blocks->copy, SIZE, 0, 2) && holds(blocks->own, SIZE, 0, 2), "bytes are lost where a block grew");
    CHECK(zero(blocks->written, SIZE / 4), "bytes are lost where a block shrank");
    free(fresh);
    free(blocks->original);
    free(blocks->copy);
    free(blocks->written);
    free(blocks->own);
    for (int round = 0; round < 20; round++) {
        fresh = calloc(1, SIZE);
        CHECK(zero(fresh, SIZE), "calloc gives what is not zero");
        memset(fresh, 1, SIZE);
        free(fresh);
    }
    return KEPT;
}

static long (*enter)(struct sock_fprog *);

static int live_shut_in(void)
{
    struct blocks blocks = make_blocks();

    if (shut_in(killing_filter(), enter) != 0)
        return SKIPPED;
    return use_blocks(&blocks);
}

#define WAY(name) \
    static int name##_way(void) \
    { \
        enter = name; \
        return in_child(live_shut_in); \
    }

WAY(by_prctl)
WAY(by_seccomp)
WAY(by_number)

static void write_end(int result)
{
    syscall(SYS_exit, result);
}

static int live_strictly(void)
{
    struct blocks blocks = make_blocks();

    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) {
        printf("# no strict mode here\n");
        return SKIPPED;
    }
    memcpy(blocks.copy, blocks.own, SIZE);
    memcpy(blocks.own, blocks.written, SIZE);
    memset(blocks.written, 0, SIZE);
    blocks.original[17]++;
    write_end(holds(blocks.copy, SIZE, 0, 2) && holds(blocks.own, 5 * PAGE, 0, 1) && zero(blocks.written, SIZE) ? KEPT : BROKEN);
    return BROKEN;
}

static int strictly(void)
{
    return in_child(live_strictly);
}

/* Who may advise discards. */
static int live_with_advice(void)
{
    struct blocks blocks = make_blocks();
    struct sock_fprog *program = killing_filter();
    unsigned char *page = (unsigned char *)(((uintptr_t)blocks.copy + PAGE - 1) & -PAGE);

    allow(SYS_madvise);
    if (shut_in(program, by_prctl) != 0)
        return SKIPPED;
    CHECK(madvise(page, SIZE / 2, MADV_DONTNEED) == 0, "madvise failed");
    CHECK(zero(page, SIZE / 2), "what was discarded is not zero");
    CHECK(holds(blocks.original, SIZE, 0, 1), "the original changed");
    return use_blocks(&(struct blocks){blocks.original, memcpy(blocks.copy, blocks.original, SIZE), blocks.written, blocks.own});
}

static int with_advice(void)
{
    return in_child(live_with_advice);
}

/* A child of a program that is shut in is shut in, too. */
static int live_with_children(void)
{
    static const long needed[] = {SYS_clone, SYS_wait4, SYS_set_robust_list, SYS_gettid, SYS_rt_sigprocmask, 334 /* rseq */};
    struct blocks blocks = make_blocks();
    struct sock_fprog *program = killing_filter();
    int status, result;
    pid_t child;

    for (size_t i = 0; i < COUNT_OF(needed); i++)
        allow(needed[i]);
    if (shut_in(program, by_prctl) != 0)
        return SKIPPED;
    child = fork();
    if (child == 0)
        exit(use_blocks(&blocks));
    result = use_blocks(&blocks);
    CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0, "the child ended with %#x", (unsigned)status);
    return result;
}

static int with_children(void)
{
    return in_child(live_with_children);
}

/* Another thread is in the middle of copies when the filter comes over it. */
static _Atomic bool stop;
static _Atomic int rounds;

static void *copy_on_and_on(void *unused)
{
    while (!stop) {
        struct blocks blocks = make_blocks();

        memcpy(blocks.own, blocks.written, SIZE);
        free(blocks.original);
        free(blocks.copy);
        free(blocks.written);
        free(blocks.own);
        rounds++;
    }
    return unused;
}

static int live_with_thread(void)
{
    static const long needed[] = {SYS_futex, SYS_madvise, SYS_mprotect, SYS_rt_sigprocmask, SYS_sched_yield};
    struct blocks blocks = make_blocks();
    struct sock_fprog *program = killing_filter();
    pthread_t thread;
    int result;

    for (size_t i = 0; i < COUNT_OF(needed); i++)
        allow(needed[i]);
    pthread_create(&thread, NULL, copy_on_and_on, NULL);
    while (rounds < 3) /* then its arena is there */
        usleep(1000);
    if (shut_in(program, by_seccomp_for_all) != 0)
        return SKIPPED;
    result = use_blocks(&blocks);
    stop = true;
    pthread_join(thread, NULL);
    return result;
}

static int with_thread(void)
{
    return in_child(live_with_thread);
}

/* Libraries find out what the kernel can do by calls that fail. */
static int ask_only(void)
{
    unsigned char *from = malloc(SIZE), *to = malloc(SIZE);

    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL);
    syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, NULL);
    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL);
    paint(from, SIZE, 3);
    memcpy(to, from, SIZE);
    CHECK(shows_store(to, SIZE), "copies are not shared any more");
    free(from);
    free(to);
    return KEPT;
}

int main(void)
{
    static const struct story stories[] = {
        {"a filter by prctl() that kills finds nothing to kill for", by_prctl_way},
        {"one by seccomp()", by_seccomp_way},
        {"one by syscall(SYS_prctl)", by_number_way},
        {"the strict mode", strictly},
        {"discarded memory is zero in a program that is shut in", with_advice},
        {"children of such a program live as it does", with_children},
        {"a thread that copies is let finish before the filter comes over it", with_thread},
        {"asking for a filter changes nothing", ask_only},
    };

    return tell_all(stories, COUNT_OF(stories));
}
