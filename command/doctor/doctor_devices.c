/* SPDX-License-Identifier: MIT */
/* Devices that may keep the memory of who opens them (kernel/holders.h), and what a program on them gets. */
#include <glob.h>

#include "command/doctor/doctor.h"

static const struct {
    const char *files, *users;
} devices[] = {
    {"/dev/nvidia[0-9]*", "CUDA (PyTorch, CuPy, JAX, ...)"},
    {"/dev/kfd", "ROCm"},
    {"/dev/accel/accel*", "an accelerator"},
    {"/dev/infiniband/uverbs*", "RDMA (MPI, UCX, NCCL, ...)"},
    {"/dev/vfio/[0-9]*", "VFIO (DPDK, SPDK, virtual machines)"},
};

void doctor_devices(struct findings *findings)
{
    size_t found = 0;

    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
        glob_t names;

        if (glob(devices[i].files, 0, NULL, &names) != 0)
            continue;
        finding_add(findings, "devices", VERDICT_OK,
                    "%s is here: on every kernel a program that opens it, as %s does, shares no more copies from then on",
                    names.gl_pathv[0], devices[i].users);
        globfree(&names);
        found++;
    }
    if (found == 0)
        finding_add(findings, "devices", VERDICT_OK, "no accelerator, RDMA or VFIO, whose users would share no copies");
}
