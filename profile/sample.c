/* SPDX-License-Identifier: MIT */
#include "profile/sample.h"

#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "profile/clock.h"

#define PAGES_PER_SAMPLE 64
#define FEWEST 8
#define AT_ONCE 16
#define PAGE_LARGEST 65536

static size_t page_bytes;
static uint64_t random_state;

void sample_init(void)
{
    page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    random_state = clock_now() | 1;
}

static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 32) * limit >> 32);
}

/* Four sums side by side, so that the multiplications overlap. */
static uint32_t hash_page(const void *data)
{
    const char *at = data;
    uint64_t sums[4] = {1, 2, 3, 4};

    for (size_t i = 0; i < page_bytes; i += sizeof sums) {
        uint64_t words[4];

        __builtin_memcpy(words, at + i, sizeof words); /* in place: the others of libc are called here */
        for (int k = 0; k < 4; k++)
            sums[k] = (sums[k] ^ words[k]) * UINT64_C(0x9e3779b97f4a7c15) + (sums[k] >> 31);
    }
    sums[0] ^= sums[1] * 3 ^ sums[2] * 5 ^ sums[3] * 7;
    return (uint32_t)(sums[0] ^ sums[0] >> 32);
}

static uint32_t count_for(uint32_t pages)
{
    uint32_t count = pages / PAGES_PER_SAMPLE;

    if (count < FEWEST)
        count = pages < FEWEST ? pages : FEWEST;
    return count < SAMPLES_OF_COPY ? count : SAMPLES_OF_COPY;
}

/* A page of [first, end) that is watched in the source already, counted from where the copy begins in it, or a new one. Both are found
   in rising order: at is where the search stopped. */
static uint32_t choose_page(const struct watched *source, uint32_t source_first, uint32_t first, uint32_t end, uint32_t *at)
{
    while (source != NULL && *at < source->count && source->samples[*at].page < source_first + first)
        ++*at;
    if (source != NULL && *at < source->count && source->samples[*at].page < source_first + end)
        return source->samples[*at].page - source_first;
    return first + random_below(end - first);
}

/* One page of each of so many equal parts: whatever is watched in the source, dense here and sparse there, each sample stands for as
   much as the others. */
uint32_t sample_copy(const struct watched *source, uint32_t source_first, uint32_t pages, uintptr_t data,
                     struct trail_sample samples[SAMPLES_OF_COPY])
{
    uint32_t count = count_for(pages);
    uint32_t at = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t first = (uint32_t)((uint64_t)pages * i / count), end = (uint32_t)((uint64_t)pages * (i + 1) / count);

        samples[i].page = choose_page(source, source_first, first, end, &at);
        samples[i].hash = hash_page((const void *)(data + (uintptr_t)samples[i].page * page_bytes));
    }
    return count;
}

/* The kernel reads for us: what the program unmapped or protected meanwhile ends the read instead of the program. Returns how many
   pages were read. */
static unsigned read_pages(const struct watched *block, uint32_t from, unsigned count, char *buffer)
{
    struct iovec local = {buffer, count * page_bytes};
    struct iovec remote[AT_ONCE];
    long got;

    for (unsigned i = 0; i < count; i++)
        remote[i] = (struct iovec){(char *)block->node.key + (size_t)block->samples[from + i].page * page_bytes, page_bytes};
    got = syscall(SYS_process_vm_readv, syscall(SYS_getpid), &local, 1L, remote, (long)count, 0L);
    return got <= 0 ? 0 : (unsigned)((size_t)got / page_bytes);
}

uint32_t sample_again(struct watched *block, uint32_t first, uint32_t end, struct trail_sample changed[SAMPLES_MOST])
{
    static char buffer[AT_ONCE * PAGE_LARGEST];
    uint32_t count = 0;
    uint32_t i = 0;

    while (i < block->count && block->samples[i].page < first)
        i++;
    while (i < block->count && block->samples[i].page < end) {
        uint32_t stop = i;
        unsigned got;

        while (stop < block->count && stop - i < AT_ONCE && block->samples[stop].page < end)
            stop++;
        got = read_pages(block, i, stop - i, buffer);
        for (unsigned k = 0; k < got; k++) {
            struct trail_sample *sample = &block->samples[i + k];
            uint32_t hash = hash_page(buffer + k * page_bytes);

            if (hash == sample->hash)
                continue;
            sample->hash = hash;
            changed[count++] = *sample;
        }
        i += got > 0 ? got : 1; /* one that cannot be read is as it was, as far as we know */
    }
    return count;
}
