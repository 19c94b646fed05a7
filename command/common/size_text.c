/* SPDX-License-Identifier: MIT */
#include "command/common/size_text.h"

#include <math.h>
#include <stdio.h>

const char *size_text(int64_t bytes, char text[SIZE_TEXT])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = (double)bytes;
    unsigned unit = 0;

    /* 1023.95 would be shown as 1024.0 */
    while (fabs(value) >= 1023.95 && unit < 5) {
        value /= 1024;
        unit++;
    }
    snprintf(text, SIZE_TEXT, "%.*f %s", unit == 0 ? 0 : fabs(value) < 9.995 ? 2 : 1, value, units[unit]);
    return text;
}

const char *time_text(uint64_t seconds, char text[SIZE_TEXT])
{
    if (seconds < 60)
        snprintf(text, SIZE_TEXT, "%u s", (unsigned)seconds);
    else if (seconds < 3600)
        snprintf(text, SIZE_TEXT, "%u min", (unsigned)(seconds / 60));
    else if (seconds < 86400)
        snprintf(text, SIZE_TEXT, "%u h %u min", (unsigned)(seconds / 3600), (unsigned)(seconds / 60 % 60));
    else
        snprintf(text, SIZE_TEXT, "%llu d %u h", (unsigned long long)(seconds / 86400), (unsigned)(seconds / 3600 % 24));
    return text;
}
