/* SPDX-License-Identifier: MIT */
/* The stores: which kinds can be had here, and how fast they are, measured on the spot against a plain copy. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/config.h"
#include "base/page.h"
#include "base/sys.h"
#include "command/common/size_text.h"
#include "command/doctor/doctor.h"
#include "kernel/map.h"
#include "kernel/storefile.h"

#define SIZE ((size_t)64 << 20)
#define ROUNDS 2

static double now(void)
{
    struct timespec time = {0, 0};

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static char *take(size_t size)
{
    char *memory = mmap(NULL, size + HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

static char *align(char *memory)
{
    return (char *)align_up((uintptr_t)memory, HUGE_SIZE);
}

static double time_to_read(const char *memory, size_t size)
{
    const uint64_t *words = (const uint64_t *)(const void *)memory;
    static volatile uint64_t result; /* so that the loop is not left out */
    uint64_t sum = 0;
    double start = now();

    for (size_t i = 0; i < size / sizeof *words; i++)
        sum += words[i];
    result = sum;
    (void)result;
    return now() - start;
}

/* Seconds to write a store and to read a fresh view of it; 0 or -errno. */
static int measure(enum storefile_kind kind, char *source, char *view, double *seal, double *read)
{
    struct descriptor file = DESCRIPTOR_NONE;
    int error = storefile_open(kind, &file);
    double start;

    if (error != 0)
        return error;
    error = storefile_extend(file.fd, SIZE);
    start = now();
    if (error == 0)
        error = storefile_write(file.fd, (uintptr_t)source, SIZE, 0);
    *seal = now() - start;
    if (error == 0)
        error = map_file((uintptr_t)view, SIZE, file.fd, 0);
    if (error == 0)
        *read = time_to_read(view, SIZE);
    map_zero((uintptr_t)view, SIZE, false);
    descriptor_drop(&file);
    return error;
}

static int measure_best(enum storefile_kind kind, struct finding *finding)
{
    char *raw_source = take(SIZE), *raw_view = take(SIZE);
    int error = raw_source == NULL || raw_view == NULL ? -ENOMEM : 0;

    if (error == 0)
        memset(align(raw_source), 1, SIZE);
    for (int round = 0; round < ROUNDS && error == 0; round++) {
        double seal = 0, read = 0;

        error = measure(kind, align(raw_source), align(raw_view), &seal, &read);
        if (error == 0 && seal > 0 && (double)SIZE / seal > finding->seal_speed)
            finding->seal_speed = (double)SIZE / seal;
        if (error == 0 && read > 0 && (double)SIZE / read > finding->read_speed)
            finding->read_speed = (double)SIZE / read;
    }
    if (raw_source != NULL)
        munmap(raw_source, SIZE + HUGE_SIZE);
    if (raw_view != NULL)
        munmap(raw_view, SIZE + HUGE_SIZE);
    return error;
}

static void add_speed(struct finding *finding)
{
    size_t used = strlen(finding->text);
    char seal[SIZE_TEXT], read[SIZE_TEXT];

    if (finding->seal_speed > 0)
        snprintf(finding->text + used, sizeof finding->text - used, ": sealed at %s/s, first read at %s/s (measured)",
                 size_text((int64_t)finding->seal_speed, seal), size_text((int64_t)finding->read_speed, read));
}

/* A copy into memory that was not touched before, as programs make them. The best of as many rounds as the stores have. */
static void plain_copy(struct findings *findings)
{
    char *from = take(SIZE), *to = take(SIZE);
    char text[SIZE_TEXT];
    double best = 0;

    if (from != NULL && to != NULL) {
        memset(from, 1, SIZE);
        for (int round = 0; round < ROUNDS; round++) {
            double start = now();

            memcpy(to, from, SIZE);
            if ((double)SIZE / (now() - start) > best)
                best = (double)SIZE / (now() - start);
            madvise(to, SIZE, MADV_DONTNEED);
        }
        finding_add(findings, "plain copy", VERDICT_OK, "for comparison: into fresh memory at %s/s (measured)",
                    size_text((int64_t)best, text));
    }
    if (from != NULL)
        munmap(from, SIZE + HUGE_SIZE);
    if (to != NULL)
        munmap(to, SIZE + HUGE_SIZE);
}

static void remedy_mount(struct finding *finding, int error)
{
    if (sys_read_number("/proc/sys/user/max_user_namespaces", 1) == 0 || error == -ENOSPC)
        finding_remedy(finding, "sysctl user.max_user_namespaces=10000");
    else if (sys_read_number("/proc/sys/kernel/unprivileged_userns_clone", 1) == 0)
        finding_remedy(finding, "sysctl kernel.unprivileged_userns_clone=1");
    else if (sys_read_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0) == 1)
        finding_remedy(finding, "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or a profile with userns for the program");
    else if (error == -ENOSYS)
        finding_remedy(finding, "Linux 5.2 or later, and a seccomp profile that allows fsopen() and fsmount()");
}

/* Why there is none, in the order in which it can go wrong. */
static void no_huge(struct findings *findings)
{
    struct finding *finding;
    int mount, file, error;

    if (config_choice(huge) == HUGE_OFF) {
        finding_remedy(finding_add(findings, "huge store", VERDICT_DEGRADED, "switched off"), "unset COWSHIM_HUGE");
        return;
    }
    if (storefile_huge_unnamed()) {
        finding_add_missing(findings, "huge store", VERDICT_DEGRADED, FALLBACK_huge_named);
        return;
    }
    mount = tmpfs_mount();
    if (mount < 0) {
        finding = finding_add_missing(findings, "huge store", VERDICT_DEGRADED, FALLBACK_tmpfs);
        remedy_mount(finding, mount);
        return;
    }
    file = tmpfs_open(mount);
    error = file < 0 ? file : storefile_extend(file, HUGE_SIZE);
    if (file >= 0)
        close(file);
    close(mount);
    if (error == -EFBIG) {
        finding_remedy(finding_add(findings, "huge store", VERDICT_DEGRADED, "no file may be as large as a huge page"),
                       "ulimit -f unlimited");
        return;
    }
    finding_remedy(finding_add(findings, "huge store", VERDICT_DEGRADED, "tmpfs gives no huge pages: first copies are slower"),
                   "echo advise > /sys/kernel/mm/transparent_hugepage/shmem_enabled, unless it says deny; free memory");
}

static int small_store(struct findings *findings)
{
    struct finding *finding = finding_add(findings, "small store", VERDICT_OK, "memfd");
    int error = measure_best(STOREFILE_SMALL, finding);

    add_speed(finding);
    if (error == 0)
        return 0;
    finding->verdict = VERDICT_MISSING;
    snprintf(finding->text, sizeof finding->text, "no store can be written (%s): no copy is shared", strerror(-error));
    if (error == -EFBIG)
        finding_remedy(finding, "ulimit -f unlimited");
    else if (error == -EMFILE)
        finding_remedy(finding, "ulimit -n 1024, or more");
    else if (error == -ENOMEM)
        finding_remedy(finding, "more memory, or ulimit -v unlimited");
    else
        finding_remedy(finding, "a seccomp profile that allows memfd_create(), ftruncate() and fcntl(F_ADD_SEALS)");
    return error;
}

void doctor_stores(struct findings *findings)
{
    doctor_progress("writing a store of 64 MiB, and reading it");
    if (storefile_huge_available()) {
        struct finding *finding = finding_add(findings, "huge store", VERDICT_OK, "tmpfs with huge pages, without privilege");

        if (measure_best(STOREFILE_HUGE, finding) == 0)
            add_speed(finding);
    } else {
        no_huge(findings);
    }
    doctor_progress("the same in small pages");
    if (small_store(findings) != 0)
        return;
    doctor_progress("copying 64 MiB plainly");
    plain_copy(findings);
}
