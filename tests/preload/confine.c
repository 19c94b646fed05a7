/* SPDX-License-Identifier: MIT */
/* confine WORD... -- PROGRAM ARGUMENT...: executes a program with less than it is used to. Words:
     nofile=N fsize=N as=N      the resource limits, in descriptors or bytes
     deny=NAME[+NAME...]        these system calls fail (seccomp); also newuser, pagemap-scan and procmap-query
     errno=N                    with this error; EPERM where nothing is said
     profile=NAME               what a container denies: docker, gvisor
     no-proc                    nothing is mounted on /proc
     nobody                     not root, and not allowed to look into itself: the program is one that may not be read
     group=N                    a memory control group of N bytes
   Exit 77 after a line that says why: this system does not let us. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
#define ANY (-1)

/* A system call, perhaps only with these bits in an argument. */
static const struct denial {
    const char *name;
    int number;
    int argument;
    uint32_t mask, value;
} denials[] = {
    {"memfd_create", SYS_memfd_create, ANY, 0, 0},
    {"userfaultfd", SYS_userfaultfd, ANY, 0, 0},
    {"fallocate", SYS_fallocate, ANY, 0, 0},
    {"mremap", SYS_mremap, ANY, 0, 0},
    {"madvise", SYS_madvise, ANY, 0, 0},
    {"fsopen", 430, ANY, 0, 0},
    {"fsmount", 432, ANY, 0, 0},
    {"mount", SYS_mount, ANY, 0, 0},
    {"unshare", SYS_unshare, ANY, 0, 0},
    {"clone3", 435, ANY, 0, 0},
    {"io_uring_setup", 425, ANY, 0, 0},
    {"newuser", SYS_clone, 0, CLONE_NEWUSER, CLONE_NEWUSER},
    {"pagemap-scan", SYS_ioctl, 1, 0xffff, 'f' << 8 | 16},
    {"procmap-query", SYS_ioctl, 1, 0xffff, 'f' << 8 | 17},
};

/* Of what we ask for: Docker's default filter, for programs without rights, and the calls that gVisor does not have. */
static const struct profile {
    const char *name;
    unsigned error;
    const char *denied;
} profiles[] = {
    {"docker", EPERM, "userfaultfd+newuser+unshare+mount+fsopen+fsmount+io_uring_setup"},
    {"docker", ENOSYS, "clone3"},
    {"gvisor", ENOSYS, "userfaultfd+fsopen+fsmount+pagemap-scan+procmap-query"},
};

static struct sock_filter filter[128];
static unsigned short filter_length;
static unsigned denied_errno = EPERM;

static void skip(const char *what)
{
    printf("%s: %s\n", what, strerror(errno));
    exit(77);
}

static void limit(int resource, const char *value)
{
    struct rlimit bounds = {strtoul(value, NULL, 10), strtoul(value, NULL, 10)};

    if (setrlimit(resource, &bounds) != 0)
        skip("setrlimit");
}

static void add(unsigned short code, uint32_t k, unsigned char yes, unsigned char no)
{
    filter[filter_length++] = (struct sock_filter){code, yes, no, k};
}

/* Falls through to the next denial when it does not apply. */
static void add_denial(const struct denial *denial)
{
    int rest = denial->argument == ANY ? 1 : 4;

    add(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
    add(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)denial->number, 0, (unsigned char)rest);
    if (denial->argument != ANY) {
        add(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(offsetof(struct seccomp_data, args) + 8 * (unsigned)denial->argument), 0, 0);
        add(BPF_ALU | BPF_AND | BPF_K, denial->mask, 0, 0);
        add(BPF_JMP | BPF_JEQ | BPF_K, denial->value, 0, 1);
    }
    add(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | denied_errno, 0, 0);
}

static void deny(char *names)
{
    for (char *name = strtok(names, "+"); name != NULL; name = strtok(NULL, "+")) {
        size_t i = 0;

        while (i < COUNT_OF(denials) && strcmp(denials[i].name, name) != 0)
            i++;
        if (i == COUNT_OF(denials)) {
            printf("nobody can deny %s\n", name);
            exit(2);
        }
        add_denial(&denials[i]);
    }
}

static void deny_profile(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(profiles); i++) {
        char names[128];

        if (strcmp(profiles[i].name, name) != 0)
            continue;
        denied_errno = profiles[i].error;
        snprintf(names, sizeof names, "%s", profiles[i].denied);
        deny(names);
    }
}

static void install_filter(void)
{
    struct sock_fprog program = {0, filter};

    if (filter_length == 0)
        return;
    add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    program.len = filter_length;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        skip("seccomp");
}

static void hide_proc(void)
{
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", "/proc", "tmpfs", 0, NULL) != 0)
        skip("a mount namespace");
}

/* A copy of the program that others may execute but not read: the kernel makes such a process not dumpable. */
static char *become_nobody(const char *program)
{
    char command[512];
    static char copy[256];
    const char *directory = getenv("STORY_DIRECTORY");

    snprintf(copy, sizeof copy, "%s/unreadable.%d", directory == NULL ? "/tmp" : directory, (int)getpid());
    snprintf(command, sizeof command, "cp '%s' '%s' && chmod 0711 '%s' && chmod a+rx '%s'", program, copy, copy,
             directory == NULL ? "/tmp" : directory);
    errno = EIO;
    if (system(command) != 0)
        skip("a copy of the program");
    if (setgid(65534) != 0 || setuid(65534) != 0)
        skip("nobody");
    return copy;
}

static int write_file(const char *directory, const char *name, const char *value)
{
    char path[256];
    int fd;
    int written = -1;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        written = write(fd, value, strlen(value)) == (ssize_t)strlen(value) ? 0 : -1;
        close(fd);
    }
    return written;
}

/* A child goes on in the group; we stay outside of it, to take it away when it is empty. */
static void go_on_in(const char *group)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        if (write_file(group, "cgroup.procs", "0") != 0)
            skip(group);
        return;
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        status = 2 << 8;
    rmdir(group);
    exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/* Version 1 or 2 of control groups, whichever has the memory controller. */
static void enter_group(const char *bytes)
{
    static const char *const versions[][2] = {{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}, {"/sys/fs/cgroup", "memory.max"}};

    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        char group[128];

        snprintf(group, sizeof group, "%s/cowshim-test.%d", versions[i][0], (int)getpid());
        if (mkdir(group, 0755) == 0 && write_file(group, versions[i][1], bytes) == 0) {
            go_on_in(group);
            return;
        }
        rmdir(group);
    }
    skip("a memory control group");
}

static int apply(char *word, char **program)
{
    char *value = strchr(word, '=');

    if (strcmp(word, "no-proc") == 0)
        hide_proc();
    else if (strcmp(word, "nobody") == 0)
        *program = become_nobody(*program);
    else if (value == NULL)
        return -1;
    else if (strncmp(word, "nofile=", 7) == 0)
        limit(RLIMIT_NOFILE, value + 1);
    else if (strncmp(word, "fsize=", 6) == 0)
        limit(RLIMIT_FSIZE, value + 1);
    else if (strncmp(word, "as=", 3) == 0)
        limit(RLIMIT_AS, value + 1);
    else if (strncmp(word, "errno=", 6) == 0)
        denied_errno = (unsigned)strtoul(value + 1, NULL, 10);
    else if (strncmp(word, "deny=", 5) == 0)
        deny(value + 1);
    else if (strncmp(word, "profile=", 8) == 0)
        deny_profile(value + 1);
    else if (strncmp(word, "group=", 6) == 0)
        enter_group(value + 1);
    else
        return -1;
    return 0;
}

int main(int argc, char **argv)
{
    char *program;
    int words = 1;

    while (words < argc && strcmp(argv[words], "--") != 0)
        words++;
    if (words + 1 >= argc)
        return 2;
    /* What is named without a path lies beside us. */
    program = argv[words + 1];
    if (strchr(program, '/') == NULL && strrchr(argv[0], '/') != NULL) {
        char *slash = strrchr(argv[0], '/');
        static char beside[512];

        snprintf(beside, sizeof beside, "%.*s/%s", (int)(slash - argv[0]), argv[0], program);
        program = beside;
    }
    for (int i = 1; i < words; i++)
        if (apply(argv[i], &program) != 0) {
            printf("nobody knows the word %s\n", argv[i]);
            return 2;
        }
    install_filter();
    execv(program, argv + words + 1);
    skip(program);
}
