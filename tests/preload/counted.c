/* SPDX-License-Identifier: MIT */
/* Where the kernel counts what it has promised (vm.overcommit_memory=2) there is as much memory to be had as without us, and what was
   had can be written. The program runs itself without the shim to know how much that is. */
#include "held.h"

#define BLOCK ((size_t)1 << 20)
#define COPIED 8 /* every so many blocks: the others are only counted */

/* Until there is none left: how many blocks were to be had. */
static int take_all(void)
{
    unsigned char *first = malloc(BLOCK), *last = first;
    int count = 1;

    if (first == NULL)
        return 0;
    paint(first, BLOCK, 1);
    for (unsigned char *next; (next = malloc(BLOCK)) != NULL; count++)
        if (count % COPIED == 0) {
            memcpy(next, last, BLOCK);
            last[PAGE] ^= 1;
            last = next;
        }
    for (size_t at = 0; at < BLOCK; at += PAGE)
        last[at]++;
    return count;
}

static int count_in(const char *program, bool natively)
{
    char command[4096];
    int count = -1;
    FILE *output;

    snprintf(command, sizeof command, "%s '%s' count", natively ? "env -u LD_PRELOAD" : "env", program);
    output = popen(command, "r");
    if (output != NULL && fscanf(output, "%d", &count) != 1)
        count = -1;
    return output != NULL && pclose(output) == 0 ? count : -1;
}

static char program[4096];

static int as_much(void)
{
    FILE *file = fopen("/proc/sys/vm/overcommit_memory", "r");
    int natively, here, mode = 0;

    if (file == NULL || fscanf(file, "%d", &mode) != 1 || mode != 2) {
        printf("# vm.overcommit_memory is not 2\n");
        return SKIPPED;
    }
    fclose(file);
    natively = count_in(program, true);
    here = count_in(program, false);
    printf("# %d blocks natively, %d here\n", natively, here);
    CHECK(natively > 0 && here >= 0, "the program did not end well");
    CHECK(here >= natively - natively / 50 - 4, "%d blocks are to be had, natively %d", here, natively);
    return KEPT;
}

int main(int count, char **words)
{
    static const struct story stories[] = {{"where memory is counted there is as much as without us, and it can be written", as_much}};
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);

    if (count > 1 && strcmp(words[1], "count") == 0)
        return printf("%d\n", take_all()) < 0;
    return length <= 0 || tell_all(stories, COUNT_OF(stories));
}
