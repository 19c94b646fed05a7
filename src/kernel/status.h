/* SPDX-License-Identifier: MIT */
/* What /proc/self/status says of the whole process (10 us a call; holders.h for what every operation asks). */
#ifndef COWSHIM_KERNEL_STATUS_H
#define COWSHIM_KERNEL_STATUS_H

#include <stdbool.h>

struct status {
    unsigned threads;
    bool pinned; /* VmPin: io_uring, RDMA or VFIO hold physical pages; replacing a page under them loses I/O */
    bool locked; /* VmLck: some memory is mlocked */
};

int status_read(struct status *status); /* 0 or -errno */

#endif
