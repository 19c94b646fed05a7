/* SPDX-License-Identifier: MIT */
/* cowshim profile [OPTION]... [--] PROGRAM [ARGUMENT]...: the program runs with the observer beside the shim; each of its processes
   leaves a trail in a folder of ours, which is read when the program has ended. */
#include "command/trail/profile.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "command/common/command.h"
#include "command/trail/document.h"
#include "command/common/launch.h"
#include "profile/format.h"
#include "command/trail/profile_json.h"
#include "command/common/settings.h"
#include "command/common/value.h"

#define OBSERVER "libcowshim-profile.so"

static int help_print(void)
{
    puts("Usage: cowshim profile [OPTION]... [--] PROGRAM [ARGUMENT]...\n"
         "Runs PROGRAM as it is and says where its large copies come from, which of them\n"
         "could share memory and which could not and why, and what the shim would have\n"
         "saved. What follows PROGRAM is PROGRAM's.\n"
         "\n"
         "Options:");
    settings_print_option("output FILE, -o FILE", "FILE.html: a page to look at; FILE.json: all that is known; FILE.folded: stacks for "
                                                  "speedscope and flamegraph.pl; FILE.txt: the text that"
                                                  " otherwise goes to stderr");
    settings_print_option("apply", "share what can be shared, and say what that saved");
    settings_print_option("help", "this text");
    puts("\n"
         "And those of `cowshim run`; each sets the variable that it names:");
    settings_print_help();
    puts("\n"
         "Exit code: that of PROGRAM (128 + the signal that ended it); 125, 126 and 127\n"
         "as with `cowshim run`.");
    return EXIT_SUCCESS;
}

static char *make_folder(void)
{
    const char *place = getenv("TMPDIR");
    char *folder;

    if (asprintf(&folder, "%s/cowshim-profile.XXXXXX", place != NULL && *place == '/' ? place : "/tmp") < 0)
        return NULL;
    if (mkdtemp(folder) != NULL)
        return folder;
    message_error("%s: %s", folder, strerror(errno));
    free(folder);
    return NULL;
}

static bool is_trail(const char *name)
{
    size_t length = strlen(name);

    return length > strlen(TRAIL_SUFFIX) && strcmp(name + length - strlen(TRAIL_SUFFIX), TRAIL_SUFFIX) == 0;
}

/* Calls each with the path of every file in the folder. */
static void for_files(const char *folder, void (*each)(void *context, const char *path), void *context)
{
    DIR *directory = opendir(folder);
    struct dirent *entry;
    char *path;

    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        if (!is_trail(entry->d_name) || asprintf(&path, "%s/%s", folder, entry->d_name) < 0)
            continue;
        each(context, path);
        free(path);
    }
    if (directory != NULL)
        closedir(directory);
}

static void remove_file(void *context, const char *path)
{
    (void)context;
    unlink(path);
}

static void remove_folder(const char *folder)
{
    for_files(folder, remove_file, NULL);
    rmdir(folder);
}

static pid_t program_id;

static void pass_on(int number)
{
    if (program_id > 0)
        kill(program_id, number);
}

/* A terminal's signals reach the program by themselves; what is sent to us is passed on. We stay to tell. */
static void set_signals(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, pass = {.sa_handler = pass_on, .sa_flags = SA_RESTART};

    sigaction(SIGINT, &ignore, NULL);
    sigaction(SIGQUIT, &ignore, NULL);
    sigaction(SIGTERM, &pass, NULL);
    sigaction(SIGHUP, &pass, NULL);
}

/* How many processes the kernel has killed for want of memory, in all; 0 where it does not tell. */
static unsigned long long count_out_of_memory(void)
{
    static const char name[] = "oom_kill ";
    FILE *file = fopen("/proc/vmstat", "re");
    char line[128];
    unsigned long long count = 0;

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            count = strtoull(line + strlen(name), NULL, 10);
    if (file != NULL)
        fclose(file);
    return count;
}

/* What became of the program. */
struct ending {
    int code;     /* what we exit with */
    char *killed; /* "killed by signal 9 (out of memory)", or NULL */
    double seconds;
};

static void note_signal(struct ending *ending, int number, unsigned long long killed_before)
{
    const char *reason = number != SIGKILL ? strsignal(number) : count_out_of_memory() > killed_before ? "out of memory" : "out of memory?";

    ending->code = 128 + number;
    if (asprintf(&ending->killed, "killed by signal %d (%s)", number, reason) < 0)
        ending->killed = NULL;
}

static void run(char **argv, struct ending *ending)
{
    unsigned long long killed_before = count_out_of_memory();
    int status;

    fflush(NULL);
    program_id = fork();
    if (program_id == 0)
        _exit(launch(argv, OBSERVER));
    if (program_id < 0) {
        message_error("%s", strerror(errno));
        return;
    }
    set_signals();
    while (waitpid(program_id, &status, 0) < 0)
        if (errno != EINTR)
            return;
    if (WIFEXITED(status))
        ending->code = WEXITSTATUS(status);
    else
        note_signal(ending, WTERMSIG(status), killed_before);
}

/* The one with the most memory first. */
static int compare_peaks(const void *a, const void *b)
{
    int64_t one = value_integer(*(struct json_object *const *)a, "peak_native");
    int64_t other = value_integer(*(struct json_object *const *)b, "peak_native");

    return one > other ? -1 : one < other;
}

struct reading {
    struct json_object *processes;
    const struct ending *ending;
};

static void read_one(void *context, const char *path)
{
    const struct reading *reading = context;
    struct findings findings = {0};
    struct trail trail;
    int error = trail_read(path, &trail);

    bool started_by_us = error == 0 && (pid_t)trail.begin->pid == program_id;

    if (error == 0 && findings_make(&trail, (unsigned)config_choice(policy), started_by_us ? reading->ending->killed : NULL, &findings))
        json_object_array_add(reading->processes, profile_json_process(&findings));
    else if (error != -EPROTO) /* a process that died before its first event leaves an empty one */
        message_warn("%s cannot be read: %s", path, strerror(error != 0 ? -error : ENOMEM));
    if (findings.trail != NULL)
        findings_free(&findings);
    trail_free(&trail);
}

static char *command_line(char **argv)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL)
        return NULL;
    for (char **word = argv; *word != NULL; word++)
        fprintf(out, "%s%s", word == argv ? "" : " ", *word);
    fclose(out);
    return text;
}

static const char *nothing_seen(int code)
{
    return code == EXIT_CANNOT_RUN || code == EXIT_NOT_FOUND
               ? "Nothing can be said: the program did not run."
               : "The shim would not lower the peak, because no large allocation and no large copy was seen.";
}

static void add_tally(struct json_object *totals, const char *name, struct json_object *processes)
{
    struct json_object *tally = json_object_new_object();
    int64_t copies = 0, bytes = 0;

    for (size_t i = 0; i < value_length(processes); i++) {
        struct json_object *one = value_of(json_object_array_get_idx(processes, i), name);

        copies += value_integer(one, "copies");
        bytes += value_integer(one, "bytes");
    }
    value_set_integer(tally, "copies", (uint64_t)copies);
    value_set_integer(tally, "bytes", (uint64_t)bytes);
    value_set(totals, name, tally);
}

/* Of all processes. Peaks are added up as if they were at the same time: more is not known. */
static struct json_object *totals_json(struct json_object *processes)
{
    struct json_object *totals = json_object_new_object();
    int64_t native = 0, shim = 0;

    for (size_t i = 0; i < value_length(processes); i++) {
        native += value_integer(json_object_array_get_idx(processes, i), "peak_native");
        shim += value_integer(json_object_array_get_idx(processes, i), "peak_shim");
    }
    value_set_integer(totals, "processes", value_length(processes));
    add_tally(totals, "copied", processes);
    add_tally(totals, "could_share", processes);
    value_set_integer(totals, "peaks_native", (uint64_t)native);
    value_set_integer(totals, "peaks_shim", (uint64_t)shim);
    return totals;
}

static struct json_object *make_document(const char *folder, char **argv, bool apply, const struct ending *ending)
{
    struct json_object *document = json_object_new_object();
    struct json_object *processes = json_object_new_array();
    struct json_object *first;
    struct reading reading = {processes, ending};
    char *command = command_line(argv);

    for_files(folder, read_one, &reading);
    json_object_array_sort(processes, compare_peaks);
    first = value_length(processes) == 0 ? NULL : json_object_array_get_idx(processes, 0);
    value_set_integer(document, "format", VALUE_FORMAT);
    value_set_text(document, "cowshim", "profile");
    value_set_text(document, "version", PACKAGE_VERSION);
    value_set_text(document, "mode", apply ? "apply" : "observe");
    value_set_text(document, "command", command);
    value_set_text(document, "verdict", first == NULL ? nothing_seen(ending->code) : value_text(first, "verdict"));
    value_set_flag(document, "helps", value_flag(first, "helps"));
    value_set_text(document, "policy", (const char *[]){"balanced", "memory", "speed"}[config_choice(policy)]);
    value_set_integer(document, "min_size", config_size(min_size));
    value_set_integer(document, "exit_code", (uint64_t)ending->code);
    value_set_real(document, "seconds", ending->seconds);
    value_set(document, "totals", totals_json(processes));
    value_set(document, "processes", processes);
    free(command);
    return document;
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static bool set_variable(const char *folder, bool apply)
{
    char *value;
    bool done;

    if (asprintf(&value, "%s%s", apply ? PROFILE_APPLY : PROFILE_OBSERVE, folder) < 0)
        return false;
    done = setenv(PROFILE_VARIABLE, value, 1) == 0;
    free(value);
    return done;
}

/* As it has to be typed. */
static void write_word(FILE *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./=:,@%+-";

    if (*word != '\0' && strspn(word, plain) == strlen(word)) {
        fputs(word, out);
        return;
    }
    fputc('\'', out);
    for (; *word != '\0'; word++)
        if (*word == '\'')
            fputs("'\\''", out);
        else
            fputc(*word, out);
    fputc('\'', out);
}

static void print_brief(char **argv, struct json_object *document, const char *page)
{
    fprintf(stderr, "cowshim: %s", value_text(document, "verdict"));
    if (value_flag(document, "helps")) {
        fputs(" `cowshim run", stderr);
        settings_print_given(stderr, write_word);
        fputs(" --", stderr);
        for (char **word = argv; *word != NULL; word++) {
            fputc(' ', stderr);
            write_word(stderr, *word);
        }
        fputs("` turns it on.", stderr);
    }
    if (value_length(value_of(document, "processes")) > 0)
        fprintf(stderr, " More: %s\n", page);
    else
        fputc('\n', stderr);
}

static int observe(char **argv, bool apply, const char *output, bool brief)
{
    double start = now();
    char *folder;
    struct ending ending = {.code = EXIT_USAGE};
    int written;
    struct json_object *document;

    if (output != NULL && !document_check_output(output, "-o"))
        return EXIT_USAGE;
    config_read();
    folder = make_folder();
    if (folder == NULL)
        return EXIT_USAGE;
    if (set_variable(folder, apply))
        run(argv, &ending);
    ending.seconds = now() - start;
    document = make_document(folder, argv, apply, &ending);
    written = document_write(output, document, NULL);
    if (brief && written == 0)
        print_brief(argv, document, output);
    json_object_put(document);
    remove_folder(folder);
    free(folder);
    free(ending.killed);
    return written != 0 && ending.code == 0 ? written : ending.code;
}

int profile_run(char **argv, bool apply, const char *output)
{
    return observe(argv, apply, output, false);
}

int profile_try(char **argv, const char *output)
{
    return observe(argv, false, output, true);
}

int command_profile(int argc, char **argv)
{
    const char *output = NULL, *apply = NULL;
    const struct settings_option own[] = {{"output", 'o', true, &output}, {"apply", 0, false, &apply}};
    int code = settings_parse(argc, argv, help_print, own, 2);

    return code >= 0 ? code : profile_run(argv + optind, apply != NULL, output);
}
