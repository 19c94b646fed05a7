/* SPDX-License-Identifier: MIT */
#include "kernel/exportfile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/page.h"
#include "base/sys.h"
#include "kernel/storefile.h"

#include "base/poison.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif

#define FILE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL)

static long open_memfd(const char *name)
{
    long fd = SYS(SYS_memfd_create, name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

    if (fd == -EINVAL) /* before Linux 6.3 */
        fd = SYS(SYS_memfd_create, name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return fd;
}

/* The mapping comes before the file seals, after which nobody gets a writable mapping. */
static int map_and_protect(int fd, size_t size, size_t at_once, uintptr_t *start)
{
    int error = storefile_extend(fd, size);
    long mapped;

    if (error == 0)
        error = (int)SYS(SYS_fallocate, fd, 0, 0, page_up(at_once));
    if (error != 0)
        return error;
    mapped = SYS(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped < 0 && mapped > -4096)
        return (int)mapped;
    error = (int)SYS(SYS_fcntl, fd, F_ADD_SEALS, FILE_SEALS);
    if (error != 0) {
        SYS_MUST(SYS_munmap, mapped, size);
        return error;
    }
    SYS_MUST(SYS_madvise, mapped, size, MADV_DONTDUMP);
    *start = (uintptr_t)mapped;
    return 0;
}

int exportfile_open(const char *name, size_t size, size_t at_once, struct descriptor *file, uintptr_t *start)
{
    long fd = open_memfd(name);
    int error;

    if (fd < 0)
        return (int)fd;
    error = map_and_protect((int)fd, size, at_once, start);
    if (error != 0) {
        SYS_MUST(SYS_close, fd);
        return error;
    }
    error = descriptor_adopt(file, (int)fd);
    if (error != 0)
        SYS_MUST(SYS_munmap, *start, size);
    return error;
}

int exportfile_extend(struct descriptor *file, uint64_t offset, size_t size)
{
    int fd = descriptor_use(file);

    return fd < 0 ? fd : (int)SYS(SYS_fallocate, fd, 0, offset, size);
}

void exportfile_close(struct descriptor *file, uintptr_t start, size_t size)
{
    descriptor_drop(file);
    SYS_MUST(SYS_munmap, start, size);
}
