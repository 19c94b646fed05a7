/* SPDX-License-Identifier: MIT */
/* cowshim doctor: what this machine allows and costs. */
#include "command/doctor/doctor.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/config.h"
#include "base/next.h"
#include "command/common/command.h"
#include "command/common/options.h"
#include "engine/engine.h"
#include "kernel/pagemap.h"
#include "kernel/vma.h"
#include "command/common/settings.h"
#include "command/common/value.h"
#include "command/common/wrap.h"

/* Below the first the shim shares nothing (kernel/descriptor.c); the second is what most systems give. */
#define DESCRIPTORS_FEW 64
#define DESCRIPTORS_ENOUGH 1024

#define INDENT 26 /* of what is found */

static const char *const verdicts[] = {"ok", "degraded", "missing"};

struct finding *finding_add(struct findings *findings, const char *name, enum verdict verdict, const char *format, ...)
{
    struct finding *finding = &findings->list[findings->count < FINDINGS_MOST - 1 ? findings->count++ : findings->count];
    va_list arguments;

    finding->name = name;
    finding->verdict = verdict;
    finding->remedy[0] = '\0';
    finding->seal_speed = finding->read_speed = 0;
    va_start(arguments, format);
    vsnprintf(finding->text, sizeof finding->text, format, arguments);
    va_end(arguments);
    return finding;
}

void finding_remedy(struct finding *finding, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(finding->remedy, sizeof finding->remedy, format, arguments);
    va_end(arguments);
}

struct finding *finding_add_missing(struct findings *findings, const char *name, enum verdict verdict, enum fallback fallback)
{
    static const struct {
        const char *feature, *without, *remedy;
    } words[] = {
#define FALLBACK(member, word, feature, since, without, remedy, ...) {feature, without, remedy},
#include "kernel/fallbacks.def"
    };
    struct finding *finding = finding_add(findings, name, verdict, "no %s: %s", words[fallback].feature, words[fallback].without);

    finding_remedy(finding, "%s", words[fallback].remedy);
    return finding;
}

static int help_print(void)
{
    puts("Usage: cowshim doctor [OPTION]...\n"
         "Tells what this machine, as it is seen from here, allows the shim, and what\n"
         "that costs: each finding is ok, degraded or missing, with the one thing that\n"
         "would improve it.\n"
         "\n"
         "Options:");
    settings_print_option("json", "one JSON object");
    settings_print_option("help", "this text");
    puts("\n"
         "Exit code: 0; 1 if something is missing without which all large copies stay\n"
         "plain; 125 if the command line is wrong. See also cowshim(1).");
    return EXIT_SUCCESS;
}

/* -1: go on. Otherwise the exit code. */
static int parse(int argc, char **argv, bool *json)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    int found;

    while ((found = options_next(argc, argv, ":jh", options)) != -1) {
        if (found == 'h')
            return help_print();
        if (found == '?')
            return message_usage("cowshim doctor");
        *json = true;
    }
    if (optind == argc)
        return -1;
    message_error("%s: doctor takes no arguments", argv[optind]);
    return message_usage("cowshim doctor");
}

static enum verdict worst(const struct findings *findings)
{
    enum verdict verdict = VERDICT_OK;

    for (size_t i = 0; i < findings->count; i++)
        if (findings->list[i].verdict > verdict)
            verdict = findings->list[i].verdict;
    return verdict;
}

static void print_text(const struct findings *findings)
{
    static const char *const sums[] = {"Large copies are shared here, at full speed.",
                                       "Large copies are shared here; what is degraded costs time or leaves some of them plain.",
                                       "Large copies stay plain here, until what is missing is there."};
    struct utsname system;

    if (uname(&system) == 0)
        printf("cowshim " PACKAGE_VERSION " on %s %s, %s, %ld processors\n\n", system.sysname, system.release, system.machine,
               sysconf(_SC_NPROCESSORS_ONLN));
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->list[i];

        printf("%-9s %-15s ", verdicts[finding->verdict], finding->name);
        wrap_print(stdout, INDENT, INDENT, finding->text);
        if (finding->remedy[0] != '\0')
            wrap_format(stdout, 0, INDENT + 3, "%*s-> %s", INDENT, "", finding->remedy);
    }
    putchar('\n');
    wrap_print(stdout, 0, 0, sums[worst(findings)]);
}

static void print_json(const struct findings *findings)
{
    struct json_object *whole = json_object_new_object();
    struct json_object *list = json_object_new_array();

    json_object_object_add(whole, "format", json_object_new_int(VALUE_FORMAT));
    json_object_object_add(whole, "release", json_object_new_string(PACKAGE_VERSION));
    json_object_object_add(whole, "verdict", json_object_new_string(verdicts[worst(findings)]));
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->list[i];
        struct json_object *object = json_object_new_object();

        json_object_object_add(object, "name", json_object_new_string(finding->name));
        json_object_object_add(object, "verdict", json_object_new_string(verdicts[finding->verdict]));
        json_object_object_add(object, "text", json_object_new_string(finding->text));
        json_object_object_add(object, "remedy", finding->remedy[0] == '\0' ? NULL : json_object_new_string(finding->remedy));
        if (finding->seal_speed > 0) {
            json_object_object_add(object, "seal_bytes_per_second", json_object_new_int64((int64_t)finding->seal_speed));
            json_object_object_add(object, "read_bytes_per_second", json_object_new_int64((int64_t)finding->read_speed));
        }
        json_object_array_add(list, object);
    }
    json_object_object_add(whole, "findings", list);
    puts(json_object_to_json_string_ext(whole, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED));
    json_object_put(whole);
}

void doctor_progress(const char *what)
{
    if (!isatty(STDERR_FILENO))
        return;
    fprintf(stderr, what == NULL ? "\r\033[K" : "\r\033[K%s ...", what);
    fflush(stderr);
}

/* With few descriptors the shim takes none, and so would we: then it would look as if the kernel lacked what we ask by descriptor.
   So we take more for ourselves, if we may. Returns what we were given. */
static rlim_t raise_descriptors(void)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    rlim_t given;

    getrlimit(RLIMIT_NOFILE, &limit);
    given = limit.rlim_cur;
    if (given >= DESCRIPTORS_ENOUGH)
        return given;
    limit.rlim_cur = DESCRIPTORS_ENOUGH;
    if (limit.rlim_max < DESCRIPTORS_ENOUGH)
        limit.rlim_max = DESCRIPTORS_ENOUGH; /* root may */
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return given;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return given;
}

/* What can be known where we have too few descriptors to look. */
static void look_around(struct findings *findings)
{
    struct rlimit limit = {0, 0};

    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < DESCRIPTORS_FEW) {
        finding_add(findings, "kernel, stores", VERDICT_OK, "not looked at: ulimit -Hn leaves too few descriptors to ask the kernel");
        return;
    }
    doctor_progress("asking the kernel");
    engine_start();
    pagemap_init();
    vma_init();
    doctor_kernel(findings);
    doctor_stores(findings);
}

int command_doctor(int argc, char **argv)
{
    static struct findings findings;
    bool json = false;
    int code = parse(argc, argv, &json);
    rlim_t given;

    if (code >= 0)
        return code;
    given = raise_descriptors();
    next_bind();
    config_read();
    look_around(&findings);
    doctor_progress("reading the limits");
    doctor_limits(&findings, given);
    doctor_devices(&findings);
    doctor_progress(NULL);
    (json ? print_json : print_text)(&findings);
    return worst(&findings) == VERDICT_MISSING ? EXIT_FAILURE : EXIT_SUCCESS;
}
