/* SPDX-License-Identifier: MIT */
#include "base/page.h"

#include <sys/auxv.h>

#include "base/poison.h"

size_t page_size = 4096;

void page_init(void)
{
    unsigned long size = getauxval(AT_PAGESZ);

    if (size != 0)
        page_size = size;
}
