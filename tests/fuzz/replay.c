/* SPDX-License-Identifier: MIT */
/* replay FILE...: inputs of the fuzz target, once each, in any build: TAP. */
#include <stdio.h>
#include <string.h>

#include "target.h"

int main(int argc, char **argv)
{
    static uint8_t data[4096];
    int failed = 0;

    printf("1..%d\n", argc - 1);
    for (int i = 1; i < argc; i++) {
        const char *slash = strrchr(argv[i], '/');
        FILE *file = fopen(argv[i], "rb");
        size_t size = file == NULL ? 0 : fread(data, 1, sizeof data, file);
        int status = size == 0 ? -1 : target_run(data, size);

        if (file != NULL)
            fclose(file);
        failed |= status != 0;
        printf("%s %d - %s: %zu bytes, status 0x%x\n", status == 0 ? "ok" : "not ok", i, slash == NULL ? argv[i] : slash + 1, size,
               (unsigned)status);
    }
    return failed;
}
