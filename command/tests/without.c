/* SPDX-License-Identifier: MIT */
/* without NAME[,NAME...] PROGRAM [ARGUMENT]...: runs a program for which these system calls fail with EPERM, as under a container's
   seccomp profile. "newuser" is a clone() into a new user namespace. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_fsopen
#define SYS_fsopen 430
#endif

static const struct {
    const char *name;
    unsigned number, flags; /* flags: only with one of these in the first argument */
} calls[] = {
    {"memfd_create", SYS_memfd_create, 0},
    {"userfaultfd", SYS_userfaultfd, 0},
    {"fsopen", SYS_fsopen, 0},
    {"ftruncate", SYS_ftruncate, 0},
    {"ioctl", SYS_ioctl, 0},
    {"newuser", SYS_clone, CLONE_NEWUSER},
};

#define LOAD(member) (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define DENY (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

static size_t deny(struct sock_filter *filter, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        if (strcmp(calls[i].name, name) != 0)
            continue;
        filter[n++] = LOAD(nr);
        filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i].number, 0, calls[i].flags == 0 ? 1 : 3);
        if (calls[i].flags != 0) {
            filter[n++] = LOAD(args[0]);
            filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, calls[i].flags, 0, 1);
        }
        filter[n++] = DENY;
        return n;
    }
    fprintf(stderr, "without: %s is not known\n", name);
    _exit(99);
}

int main(int argc, char **argv)
{
    struct sock_filter filter[64];
    struct sock_fprog program = {0, filter};

    if (argc < 3)
        return 99;
    for (char *name; (name = strsep(&argv[1], ",")) != NULL && program.len < 50;)
        program.len = (unsigned short)(program.len + deny(filter + program.len, name));
    filter[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        return 98;
    execvp(argv[2], argv + 2);
    return 97;
}
