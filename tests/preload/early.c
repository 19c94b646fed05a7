/* SPDX-License-Identifier: MIT */
/* Memory that another library's constructor allocated, before the shim's own constructor, after it, or in dlopen. */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <string.h>

#include "early_library.h"
#include "story.h"

static struct early *early;
static int preloaded; /* then its malloc stands in front of the next one */

static struct early *load(void)
{
    char path[4096];
    const char *directory = getenv("STORY_LIBRARIES");
    void *library;

    snprintf(path, sizeof path, "%s/early_library.so", directory == NULL ? "." : directory);
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        printf("# %s\n", dlerror());
    return library == NULL ? NULL : dlsym(library, "early_blocks");
}

static int constructor_is_served(void)
{
    CHECK(early != NULL, "the library was not loaded");
    CHECK(early->broken == 0, "its constructor says so");
    CHECK(early->calls > 0 || !preloaded, "its malloc was not called");
    CHECK(first_wrong(early->small, EARLY_SMALL, 0, 2) == SIZE_MAX, "its small memory changed");
    CHECK(first_wrong(early->original, EARLY_SIZE, 0, 3) == SIZE_MAX, "its large memory changed");
    CHECK(first_wrong(early->copy, EARLY_SIZE, 0, 3) == SIZE_MAX, "its copy changed");
    return KEPT;
}

static int blocks_live_on(void)
{
    unsigned char *copy = malloc(EARLY_SIZE);

    memcpy(copy, early->original, EARLY_SIZE);
    paint(early->original, EARLY_SIZE, 4);
    CHECK(first_wrong(copy, EARLY_SIZE, 0, 3) == SIZE_MAX, "the copy follows its original");
    memcpy(early->copy, early->original, EARLY_SIZE);
    paint(early->original, EARLY_SIZE, 5);
    CHECK(first_wrong(early->copy, EARLY_SIZE, 0, 4) == SIZE_MAX, "the library's copy follows its original");
    early->original = realloc(early->original, EARLY_SIZE * 3);
    CHECK(first_wrong(early->original, EARLY_SIZE, 0, 5) == SIZE_MAX, "realloc lost bytes");
    early->small = realloc(early->small, EARLY_SIZE);
    CHECK(first_wrong(early->small, EARLY_SMALL, 0, 2) == SIZE_MAX, "realloc of small memory lost bytes");
    CHECK(malloc_usable_size(early->copy) >= EARLY_SIZE, "%zu bytes are usable", malloc_usable_size(early->copy));
    errno = 4321;
    free(early->small);
    free(early->original);
    free(early->copy);
    free(copy);
    CHECK(errno == 4321, "free changed errno to %d", errno);
    return KEPT;
}

/* early [dlopen] */
int main(int count, char **words)
{
    static const struct story stories[] = {
        {"a constructor that runs before or after ours allocates, resizes and copies", constructor_is_served},
        {"its memory is copied, resized and freed later", blocks_live_on},
    };

    (void)words;
    preloaded = count == 1;
    early = !preloaded ? load() : dlsym(RTLD_DEFAULT, "early_blocks");
    return tell_all(stories, COUNT_OF(stories));
}
