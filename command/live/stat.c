/* SPDX-License-Identifier: MIT */
/* cowshim stat PID... | --all: the figures of running processes. */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command/common/command.h"
#include "command/common/options.h"
#include "command/common/json.h"
#include "command/live/scene.h"
#include "command/common/settings.h"
#include "command/common/size_text.h"
#include "command/common/value.h"
#include "command/live/stat_text.h"

struct question {
    bool all, json, watch;
    double seconds;
    char **pids;
    int count;
};

static int help_print(void)
{
    puts("Usage: cowshim stat [OPTION]... PID...\n"
         "       cowshim stat [OPTION]... --all\n"
         "Shows what the shim does in running processes: arrays, what they would take\n"
         "without it, what they cost, copies and why some were plain. The processes are\n"
         "not disturbed.\n"
         "\n"
         "Options:");
    settings_print_option("all", "every process that has the shim and that we may read, one line each, and the sum");
    settings_print_option("json", "one JSON value; with --watch, one line each time");
    settings_print_option("watch[=SECONDS]", "again and again, every second if not said otherwise");
    settings_print_option("help", "this text");
    puts("\n"
         "Exit code: 0; 1 if a process has nothing to show, which stderr then explains;\n"
         "125 if the command line is wrong. See also cowshim(1).");
    return EXIT_SUCCESS;
}

static bool parse_seconds(struct question *question, const char *text)
{
    char *end = NULL;

    question->watch = true;
    question->seconds = text == NULL ? 1 : strtod(text, &end);
    if (text == NULL || (end != text && *end == '\0' && question->seconds >= 0.1 && question->seconds <= 86400))
        return true;
    message_error("--watch=%s: accepted are numbers of seconds from 0.1 to 86400", text);
    return false;
}

/* -1: go on. Otherwise the exit code. */
static int parse(int argc, char **argv, struct question *question)
{
    static const struct option options[] = {
        {"all", no_argument, NULL, 'a'},
        {"json", no_argument, NULL, 'j'},
        {"watch", optional_argument, NULL, 'w'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int found;

    while ((found = options_next(argc, argv, ":ajh", options)) != -1) {
        if (found == 'h')
            return help_print();
        if (found == '?' || (found == 'w' && !parse_seconds(question, optarg)))
            return message_usage("cowshim stat");
        question->all = question->all || found == 'a';
        question->json = question->json || found == 'j';
    }
    question->pids = argv + optind;
    question->count = argc - optind;
    if (question->all != (question->count > 0))
        return -1;
    message_error(question->all ? "--all is every process; PID is one" : "no PID is given, and not --all");
    return message_usage("cowshim stat");
}

pid_t command_parse_pid(const char *text)
{
    char *end;
    long pid;

    errno = 0;
    pid = strtol(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && pid > 0 && pid <= 0x7fffffff)
        return (pid_t)pid;
    message_error("%s is no process id", text);
    return -1;
}

/* The named processes come first in the scene; those that only share with them behind. */
static int gather(const struct question *question, struct scene *scene, size_t *named, size_t *forbidden)
{
    for (int i = 0; i < question->count; i++) {
        pid_t pid = command_parse_pid(question->pids[i]);

        if (pid < 0)
            return EXIT_USAGE;
        if (scene_add(scene, pid) == NULL)
            return EXIT_USAGE;
    }
    if (question->all)
        *forbidden = scene_add_all(scene);
    *named = scene->member_count;
    scene_add_relatives(scene);
    scene_look(scene);
    return EXIT_SUCCESS;
}

static void print_json(const struct question *question, const struct scene *scene, size_t named)
{
    struct json_object *list = json_object_new_array();
    struct json_object *all = list;

    for (size_t i = 0; i < named; i++)
        if (scene->members[i].process.state == PROCESS_OPEN)
            json_object_array_add(list, json_member(&scene->members[i]));
    if (question->all) {
        all = json_object_new_object();
        json_object_object_add(all, "format", json_object_new_int(VALUE_FORMAT));
        json_object_object_add(all, "processes", list);
        json_object_object_add(all, "total", json_figures(&scene->figures));
    }
    json_print(all, question->watch);
}

static int explain_missing(const struct scene *scene, size_t named)
{
    int code = EXIT_SUCCESS;

    for (size_t i = 0; i < named; i++)
        if (scene->members[i].process.state != PROCESS_OPEN) {
            process_explain(&scene->members[i].process);
            code = EXIT_FAILURE;
        }
    return code;
}

static int once(const struct question *question)
{
    struct scene scene;
    size_t named = 0, forbidden = 0;
    int code;

    scene_init(&scene);
    code = gather(question, &scene, &named, &forbidden);
    if (code == EXIT_SUCCESS && !question->all)
        code = explain_missing(&scene, named);
    if (code != EXIT_USAGE && question->json)
        print_json(question, &scene, named);
    else if (code != EXIT_USAGE && question->all)
        stat_print_all(&scene, named, forbidden);
    else if (code != EXIT_USAGE)
        for (size_t i = 0; i < named; i++)
            if (scene.members[i].process.state == PROCESS_OPEN)
                stat_print(&scene, &scene.members[i]);
    scene_end(&scene);
    return code;
}

static void sleep_seconds(double seconds)
{
    struct timespec time = {(time_t)seconds, (long)(fmod(seconds, 1) * 1e9)};

    nanosleep(&time, NULL);
}

int command_stat(int argc, char **argv)
{
    struct question question = {0};
    int code = parse(argc, argv, &question);
    bool screen = question.watch && !question.json && isatty(STDOUT_FILENO);

    if (code >= 0)
        return code;
    for (;;) {
        if (screen)
            fputs("\033[H\033[2J", stdout);
        code = once(&question);
        if (!question.watch || code != EXIT_SUCCESS || fflush(stdout) != 0)
            return code;
        sleep_seconds(question.seconds);
    }
}
