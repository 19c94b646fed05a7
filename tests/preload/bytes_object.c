/* SPDX-License-Identifier: MIT */
/* A program with a Python in it, as far as the shim can tell: objects whose bytes begin a header behind what malloc gives are congruent
   with arrays, whoever makes them, and malloc keeps all its promises for them. */
#include <malloc.h>
#include <string.h>

#include "story.h"

#define PYTHON __attribute__((noinline, visibility("default")))
#define HEADER ((size_t)32)
#define SIZE ((size_t)4 << 20)
#define ODD (SIZE + 10)

PYTHON unsigned char *PyBytes_FromStringAndSize(const unsigned char *from, size_t size);
PYTHON unsigned char *_PyBytes_Resize(unsigned char *object, size_t size);

/* Between these functions and malloc, as Python has its own allocator; no tail call. */
static __attribute__((noinline)) void *object_malloc(size_t size)
{
    void *volatile object = malloc(size);

    return object;
}

static unsigned char *data_of(unsigned char *object)
{
    return object + HEADER;
}

PYTHON unsigned char *PyBytes_FromStringAndSize(const unsigned char *from, size_t size)
{
    unsigned char *volatile object = object_malloc(HEADER + size + 1);

    memset(object, 1, HEADER);
    if (from != NULL)
        memcpy(data_of(object), from, size);
    object[HEADER + size] = 0;
    return object;
}

PYTHON unsigned char *_PyBytes_Resize(unsigned char *object, size_t size)
{
    unsigned char *volatile resized = realloc(object, HEADER + size + 1);

    resized[HEADER + size] = 0;
    return resized;
}

/* As bytes_repeat() in Python, whose name nobody can look up. */
static __attribute__((noinline)) unsigned char *make_unnamed(size_t size)
{
    unsigned char *volatile object = object_malloc(HEADER + size + 1);

    return object;
}

/* No header. */
static __attribute__((noinline)) unsigned char *make_bytearray(size_t size)
{
    unsigned char *volatile array = object_malloc(size + 1);

    return array;
}

static unsigned char *make_array(size_t size, unsigned salt)
{
    unsigned char *array = aligned_alloc(4096, (size + 4095) / 4096 * 4096);

    paint(array, size, salt);
    return array;
}

static int both_directions(size_t size)
{
    unsigned char *array = make_array(size, 1), *back = make_array(size, 2);
    unsigned char *bytes = PyBytes_FromStringAndSize(array, size);

    CHECK(shows_store(data_of(bytes), size), "the bytes of an array of %zu do not share its pages", size);
    memcpy(back, data_of(bytes), size);
    CHECK(shows_store(back, size), "an array from %zu bytes does not share their pages", size);
    CHECK(first_wrong(data_of(bytes), size, 0, 1) == SIZE_MAX && first_wrong(back, size, 0, 1) == SIZE_MAX);
    paint(array, size, 3);
    bytes[0] = bytes[HEADER + size / 2] = 77;
    CHECK(first_wrong(back, size, 0, 1) == SIZE_MAX, "what was written to others is seen");
    free(array);
    free(bytes);
    CHECK(first_wrong(back, size, 0, 1) == SIZE_MAX, "the original took the copy along");
    free(back);
    return KEPT;
}

static int arrays_and_bytes_share(void)
{
    return both_directions(SIZE) | both_directions(ODD) | both_directions(((size_t)33 << 20) + 5);
}

/* How many of these copies shared. What earlier calls left on the stack can make one maker look like two, and each has to be learned. */
static unsigned share_in_turn(unsigned char *(*make)(size_t), size_t header, size_t size, unsigned times)
{
    unsigned char *array = make_array(size, 4);
    unsigned shared = 0;

    for (unsigned i = 0; i < times; i++) {
        unsigned char *object = make(size);

        memcpy(object + header, array, size);
        shared += (unsigned)shows_store(object + header, size);
        if (first_wrong(object + header, size, 0, 4) != SIZE_MAX)
            return 0;
        free(object);
    }
    free(array);
    return shared;
}

/* Of a size that tells nothing: the first copy tells it. */
static int makers_without_a_name_are_learned(void)
{
    unsigned shared = share_in_turn(make_unnamed, HEADER, ODD, 5);

    CHECK(shared >= 3, "%u of 5 copies were shared", shared);
    return KEPT;
}

/* Of a size that only bytes objects have, mostly. */
static int wrong_guesses_are_learned(void)
{
    unsigned shared = share_in_turn(make_bytearray, 0, SIZE + HEADER, 5);

    CHECK(shared >= 3, "%u of 5 copies were shared", shared);
    shared = share_in_turn(make_bytearray, 0, ODD, 5);
    CHECK(shared == 5, "%u of 5 copies were shared", shared);
    return KEPT;
}

static int promises_of_malloc_are_kept(void)
{
    for (size_t size = SIZE; size < ((size_t)40 << 20); size = size * 2 + 77) {
        unsigned char *bytes = PyBytes_FromStringAndSize(NULL, size);
        size_t usable = malloc_usable_size(bytes);
        void *aligned = NULL;

        CHECK((uintptr_t)bytes % 16 == 0 && (uintptr_t)data_of(bytes) % 4096 == 0, "%p", (void *)bytes);
        CHECK(usable > HEADER + size, "%zu of %zu bytes are usable", usable, size);
        paint(bytes, usable, 5);
        CHECK(first_wrong(bytes, usable, 0, 5) == SIZE_MAX);
        CHECK(posix_memalign(&aligned, 1 << 16, HEADER + size + 1) == 0 && (uintptr_t)aligned % (1 << 16) == 0);
        free(aligned);
        free(bytes);
    }
    return KEPT;
}

/* Resizes one that shows a store, or does not, to each of these sizes and on: as long as it is, shorter than its header, longer again. */
static int resize_in_steps(bool shown)
{
    static const size_t sizes[] = {SIZE + 4096, 3 * SIZE, 40 * SIZE, SIZE / 2, 5, 50 * SIZE, 100, SIZE};
    unsigned char *array = make_array(SIZE, 6);
    size_t kept = SIZE;
    unsigned char *bytes = PyBytes_FromStringAndSize(shown ? array : NULL, SIZE);

    if (!shown)
        paint(data_of(bytes), SIZE, 6);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        bytes = _PyBytes_Resize(bytes, sizes[i]);
        kept = sizes[i] < kept ? sizes[i] : kept;
        CHECK(first_wrong(data_of(bytes), kept, 0, 6) == SIZE_MAX, "resized to %zu: a byte is wrong", sizes[i]);
        CHECK(bytes[0] == 1 && bytes[HEADER - 1] == 1, "resized to %zu: the header is wrong", sizes[i]);
    }
    paint(data_of(bytes), SIZE, 7);
    CHECK(first_wrong(array, SIZE, 0, 6) == SIZE_MAX, "the array changed");
    free(bytes);
    free(array);
    return KEPT;
}

static int resizing_keeps_bytes(void)
{
    return resize_in_steps(false) | resize_in_steps(true);
}

/* What grows from little, as a buffer that is written to does. */
static int resizing_keeps_the_place(void)
{
    unsigned char *array = make_array(2 * SIZE, 8);
    unsigned char *bytes = PyBytes_FromStringAndSize(NULL, 1000);

    for (size_t size = SIZE; size <= 2 * SIZE; size += SIZE / 2 + 1) {
        bytes = _PyBytes_Resize(bytes, size);
        memcpy(data_of(bytes), array, size);
        CHECK(shows_store(data_of(bytes), size), "not shared after it grew to %zu", size);
        CHECK(first_wrong(data_of(bytes), size, 0, 8) == SIZE_MAX);
    }
    free(bytes);
    free(array);
    return KEPT;
}

int main(void)
{
    static const struct story stories[] = {
        {"the bytes of an array share its pages, and an array of bytes theirs", arrays_and_bytes_share},
        {"whose objects have a header is learned from a copy", makers_without_a_name_are_learned},
        {"wrong guesses come to an end", wrong_guesses_are_learned},
        {"objects with a header are aligned, and as large as they must be", promises_of_malloc_are_kept},
        {"resizing objects with a header keeps their bytes", resizing_keeps_bytes},
        {"resizing objects with a header keeps their place in a page", resizing_keeps_the_place},
    };

    return tell_all(stories, COUNT_OF(stories));
}
