/* SPDX-License-Identifier: MIT */
/* Makes arrays and copies, says in files what they hold, and aborts: core.sh looks into the core. With "wait" it waits for the end of its
   input instead, to be dumped alive. */
#include <string.h>
#include <unistd.h>

#include "story.h"

#define PAGE ((size_t)4096)
#define SMALL (64 * PAGE)
#define LARGE ((size_t)5 << 20) /* large enough for a store on huge pages */

/* gdb finds these by name. */
extern unsigned char *array, *copy, *changed, *large, *large_copy;
unsigned char *array, *copy, *changed, *large, *large_copy;

static unsigned char *make(size_t size)
{
    unsigned char *memory = malloc(size);

    if (memory == NULL)
        exit(99);
    return memory;
}

/* By write(2), which reads the memory as any debugger does; the pattern says whether it is right. */
static void tell(const char *directory, const char *name, const unsigned char *memory, size_t size)
{
    char path[500];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    file = fopen(path, "w");
    if (file == NULL || fwrite(memory, 1, size, file) != size || fclose(file) != 0)
        exit(99);
}

int main(int count, char **arguments)
{
    const char *directory = arguments[1];
    char byte;

    if (count < 2)
        return 99;
    array = make(SMALL);
    copy = make(SMALL);
    changed = make(SMALL);
    large = make(LARGE);
    large_copy = make(LARGE);
    paint(array, SMALL, 1);
    memcpy(copy, array, SMALL);
    memcpy(changed, copy, SMALL);
    paint(changed + 3 * PAGE, PAGE, 2);
    paint(changed + 17 * PAGE, 5 * PAGE, 3);
    paint(large, LARGE, 4);
    memcpy(large_copy, large, LARGE);
    if (!holds(array, SMALL, 0, 1) || !holds(copy, SMALL, 0, 1) || !holds(large_copy, LARGE, 0, 4))
        return 1;
    tell(directory, "array", array, SMALL);
    tell(directory, "copy", copy, SMALL);
    tell(directory, "changed", changed, SMALL);
    tell(directory, "large", large, LARGE);
    tell(directory, "large_copy", large_copy, LARGE);
    if (count == 2)
        abort();
    puts("ready");
    fflush(stdout);
    return read(0, &byte, 1) != 0;
}
