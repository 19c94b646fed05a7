/* SPDX-License-Identifier: MIT */
/* What the administrator and the shell have set. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/sys.h"
#include "command/common/size_text.h"
#include "command/doctor/doctor.h"
#include "kernel/map.h"

#define USUAL_MAPPINGS 65530u

/* The chosen word of a file such as "always [madvise] never". */
static const char *chosen(const char *path, char word[32])
{
    char text[128];
    const char *open = sys_read_file(path, text, sizeof text) > 0 ? strchr(text, '[') : NULL;

    snprintf(word, 32, "%.*s", open == NULL ? 7 : (int)strcspn(open + 1, "]"), open == NULL ? "unknown" : open + 1);
    return word;
}

static void huge_pages(struct findings *findings)
{
    char word[32];

    chosen("/sys/kernel/mm/transparent_hugepage/enabled", word);
    if (strcmp(word, "never") == 0)
        finding_remedy(
            finding_add(findings, "huge pages", VERDICT_DEGRADED, "transparent_hugepage is never: large arrays fault page by page"),
            "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled");
    else
        finding_add(findings, "huge pages", VERDICT_OK, "transparent_hugepage is %s", word);
    chosen("/sys/kernel/mm/transparent_hugepage/shmem_enabled", word);
    if (strcmp(word, "deny") == 0)
        finding_remedy(finding_add(findings, "shmem pages", VERDICT_DEGRADED, "shmem_enabled is deny: no store has huge pages"),
                       "echo never > /sys/kernel/mm/transparent_hugepage/shmem_enabled (the private tmpfs has them then)");
    else
        finding_add(findings, "shmem pages", VERDICT_OK, "shmem_enabled is %s; the private tmpfs has its own setting", word);
}

static void map_count(struct findings *findings)
{
    size_t limit = map_limit();

    if (limit < USUAL_MAPPINGS)
        finding_remedy(
            finding_add(findings, "max_map_count", VERDICT_DEGRADED, "%zu mappings: of these, views may be three eighths", limit),
            "sysctl vm.max_map_count=%u", USUAL_MAPPINGS);
    else
        finding_add(findings, "max_map_count", VERDICT_OK, "%zu mappings", limit);
}

static rlim_t limit_of(int resource)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

    getrlimit(resource, &limit);
    return limit.rlim_cur;
}

static void descriptors(struct findings *findings, rlim_t limit)
{
    if (limit == RLIM_INFINITY || limit >= 1024)
        finding_add(findings, "descriptors", VERDICT_OK, "ulimit -n is %llu, of which stores use a quarter at most",
                    (unsigned long long)limit);
    else
        finding_remedy(finding_add(findings, "descriptors", limit < 64 ? VERDICT_MISSING : VERDICT_DEGRADED,
                                   limit < 64 ? "ulimit -n is %llu: all of them are left to the program, no copy is shared"
                                              : "ulimit -n is %llu: few stores can be open at a time",
                                   (unsigned long long)limit),
                       "ulimit -n 1024, or more");
}

static void sizes(struct findings *findings)
{
    rlim_t file = limit_of(RLIMIT_FSIZE), space = limit_of(RLIMIT_AS);
    char text[SIZE_TEXT];

    if (file == RLIM_INFINITY)
        finding_add(findings, "file size", VERDICT_OK, "ulimit -f is unlimited");
    else
        finding_remedy(finding_add(findings, "file size", VERDICT_DEGRADED, "ulimit -f allows %s: stores, too, may not be larger",
                                   size_text((int64_t)file, text)),
                       "ulimit -f unlimited");
    if (space == RLIM_INFINITY)
        finding_add(findings, "address space", VERDICT_OK, "ulimit -v is unlimited");
    else
        finding_remedy(finding_add(findings, "address space", VERDICT_DEGRADED,
                                   "ulimit -v allows %s, in which a copy counts whole though it costs nothing",
                                   size_text((int64_t)space, text)),
                       "ulimit -v unlimited; a memory control group counts what is really used");
}

static void overcommit(struct findings *findings)
{
    if (sys_read_number("/proc/sys/vm/overcommit_memory", 0) == 2)
        finding_add_missing(findings, "overcommit", VERDICT_MISSING, FALLBACK_overcommit);
    else
        finding_add(findings, "overcommit", VERDICT_OK, "overcommit_memory is %lu", sys_read_number("/proc/sys/vm/overcommit_memory", 0));
}

/* The path of our memory control group, in either version; false: none. */
static bool find_group(char path[300], const char **limit, const char **usage)
{
    char text[4096];
    char *line = sys_read_file("/proc/self/cgroup", text, sizeof text) > 0 ? text : NULL;
    char *rest = line;

    while ((line = strsep(&rest, "\n")) != NULL) {
        char *name = strchr(line, ':');
        char *folder = name == NULL ? NULL : strchr(name + 1, ':');

        if (folder == NULL)
            continue;
        *folder++ = '\0';
        if (strcmp(name + 1, "memory") == 0) {
            snprintf(path, 300, "/sys/fs/cgroup/memory%.200s", folder);
            *limit = "memory.limit_in_bytes";
            *usage = "memory.usage_in_bytes";
            return true;
        }
        snprintf(path, 300, "/sys/fs/cgroup%.200s", folder);
        *limit = "memory.max";
        *usage = "memory.current";
    }
    return *limit != NULL;
}

static void group(struct findings *findings)
{
    char path[300], file[360], a[SIZE_TEXT], b[SIZE_TEXT];
    const char *limit_name = NULL, *usage_name = NULL;
    unsigned long limit, usage;

    if (!find_group(path, &limit_name, &usage_name)) {
        finding_add(findings, "memory group", VERDICT_OK, "none");
        return;
    }
    snprintf(file, sizeof file, "%s/%s", path, limit_name);
    limit = sys_read_number(file, 0); /* "max" is no number */
    snprintf(file, sizeof file, "%s/%s", path, usage_name);
    usage = sys_read_number(file, 0);
    if (limit == 0 || limit >= (1ul << 62))
        finding_add(findings, "memory group", VERDICT_OK, "no limit");
    else if (usage > limit / 10 * 9)
        finding_remedy(finding_add(findings, "memory group", VERDICT_DEGRADED, "%s of %s in use: a store may find no memory",
                                   size_text((int64_t)usage, a), size_text((int64_t)limit, b)),
                       "raise %s", limit_name);
    else
        finding_add(findings, "memory group", VERDICT_OK, "%s of %s in use; stores count there", size_text((int64_t)usage, a),
                    size_text((int64_t)limit, b));
}

void doctor_limits(struct findings *findings, rlim_t descriptors_given)
{
    huge_pages(findings);
    map_count(findings);
    descriptors(findings, descriptors_given);
    sizes(findings);
    overcommit(findings);
    group(findings);
}
