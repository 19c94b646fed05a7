/* SPDX-License-Identifier: MIT */
#include "base/near.h"

#include <string.h>

#include "base/poison.h"

#define LONGEST 40u

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Row i of the table of distances, from the two above it. */
static void fill_row(unsigned i, const char *a, const char *b, const unsigned *before, const unsigned *above, unsigned *row)
{
    row[0] = i;
    for (unsigned j = 1; b[j - 1] != '\0'; j++) {
        row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
            row[j] = least(row[j], before[j - 2] + 1);
    }
}

unsigned near_distance(const char *a, const char *b)
{
    unsigned rows[3][LONGEST + 1];
    size_t length = strlen(a), other = strlen(b);

    if (length > LONGEST || other > LONGEST)
        return ~0u;
    for (unsigned j = 0; j <= other; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= length; i++)
        fill_row(i, a, b, rows[(i + 1) % 3], rows[(i - 1) % 3], rows[i % 3]);
    return rows[length % 3][other];
}

const char *near_find(const char *word, const char *const *names, size_t count)
{
    const char *nearest = NULL;
    unsigned best = ~0u;

    for (size_t i = 0; i < count; i++) {
        unsigned distance = near_distance(word, names[i]);

        if (distance < best && distance <= 1 + strlen(names[i]) / 5) {
            best = distance;
            nearest = names[i];
        }
    }
    return nearest;
}
