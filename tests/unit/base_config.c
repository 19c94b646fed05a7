/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/log.h"
#include "base/near.h"
#include "base/page.h"
#include "unit.h"

static struct config_option option_of(const char *variable)
{
    struct config_option options[CONFIG_COUNT];

    page_init();
    config_options(options);
    for (int i = 0; i < CONFIG_COUNT; i++)
        if (strcmp(options[i].variable, variable) == 0)
            return options[i];
    UNIT_FAIL("no option %s", variable);
    return options[0];
}

TEST(config, sizes_are_read_with_every_unit)
{
    static const struct {
        const char *text;
        size_t size;
    } good[] = {
        {"8192", 8192},    {"64K", 65536},    {"64k", 65536},          {"1M", 1 << 20},         {"1m", 1 << 20},
        {"1MB", 1 << 20},  {"1MiB", 1 << 20}, {"2G", (size_t)2 << 30}, {"2g", (size_t)2 << 30}, {"65536G", (size_t)1 << 46},
        {"00016K", 16384},
    };
    struct config_option option = option_of("COWSHIM_MIN_SIZE");

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        union config_value value = {.size = 1};

        CHECK_AT(config_parse(&option, good[i].text, &value) == 0, i);
        CHECK_EQ(value.size, good[i].size);
    }
}

TEST(config, what_is_no_size_is_refused)
{
    static const char *const bad[] = {"",     "-1",  "+1M", " 1M",  "1 M", "M",   "1X",     "1T", "0x10000",
                                      "1.5M", "1MM", "1Mi", "1Mib", "1M ", "1e6", "65536b", "abc"};
    struct config_option option = option_of("COWSHIM_MIN_SIZE");

    errno = 77;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        union config_value value;

        CHECK_AT(config_parse(&option, bad[i], &value) == -EINVAL, i);
    }
    CHECK_EQ(errno, 77);
}

TEST(config, a_size_out_of_bounds_is_refused_at_the_bound_exactly)
{
    struct config_option option = option_of("COWSHIM_MIN_SIZE");
    union config_value value;
    char text[32];

    snprintf(text, sizeof text, "%zu", 2 * page_size);
    CHECK_EQ(config_parse(&option, text, &value), 0);
    snprintf(text, sizeof text, "%zu", 2 * page_size - 1);
    CHECK_EQ(config_parse(&option, text, &value), -ERANGE);
    CHECK_EQ(config_parse(&option, "65537G", &value), -ERANGE);
    CHECK_EQ(config_parse(&option, "99999999999999999999999999", &value), -ERANGE);
    CHECK_EQ(config_parse(&option, "18446744073709551615", &value), -ERANGE);
    CHECK_EQ(config_parse(&option, "18014398509481985K", &value), -ERANGE); /* 1 KiB after the shift wraps */
    CHECK_EQ(config_parse(&option, "0", &value), -ERANGE);
}

TEST(config, a_choice_is_a_whole_word)
{
    struct config_option option = option_of("COWSHIM_MODE");
    union config_value value;

    CHECK_EQ(config_parse(&option, "auto", &value), 0);
    CHECK_EQ(value.choice, MODE_AUTO);
    CHECK_EQ(config_parse(&option, "registered", &value), 0);
    CHECK_EQ(value.choice, MODE_REGISTERED);
    CHECK_EQ(config_parse(&option, "off", &value), 0);
    CHECK_EQ(value.choice, MODE_OFF);
    CHECK_EQ(config_parse(&option, "of", &value), -EINVAL);
    CHECK_EQ(config_parse(&option, "offf", &value), -EINVAL);
    CHECK_EQ(config_parse(&option, "AUTO", &value), -EINVAL);
    CHECK_EQ(config_parse(&option, "auto|off", &value), -EINVAL);
    CHECK_EQ(config_parse(&option, "|", &value), -EINVAL);
    CHECK_EQ(config_parse(&option, "", &value), -EINVAL);
}

TEST(config, every_default_is_a_value_of_its_option)
{
    struct config_option options[CONFIG_COUNT];

    page_init();
    config_options(options);
    for (int i = 0; i < CONFIG_COUNT; i++) {
        union config_value value;

        CHECK_AT(config_parse(&options[i], options[i].fallback, &value) == 0, i);
        CHECK(strncmp(options[i].variable, "COWSHIM_", 8) == 0);
        CHECK(options[i].help[0] != '\0');
    }
}

static const char *read_with(const char *variable, const char *text)
{
    unsetenv("COWSHIM_MIN_SIZE");
    setenv(variable, text, 1);
    page_init();
    unit_capture_begin();
    config_read();
    return unit_capture_end();
}

static void check_text(const char *got, const char *wanted)
{
    if (strcmp(got, wanted) != 0)
        UNIT_FAIL("got  %s want %s", got, wanted);
}

TEST(config, a_bad_choice_is_named_with_what_is_used_instead)
{
    check_text(read_with("COWSHIM_MODE", "fast"), "cowshim: error: COWSHIM_MODE=fast is not one of auto|registered|off; using auto\n");
    CHECK_EQ(config_choice(mode), MODE_AUTO);
}

TEST(config, a_bad_size_is_named_with_what_is_used_instead)
{
    check_text(read_with("COWSHIM_MIN_SIZE", "big"),
               "cowshim: error: COWSHIM_MIN_SIZE=big is not a size such as 65536, 64K, 1M or 2G; using 1M\n");
    CHECK_EQ(config_size(min_size), 1 << 20);
}

TEST(config, a_size_out_of_bounds_is_named_with_its_bounds)
{
    char wanted[256];

    page_init();
    snprintf(wanted, sizeof wanted, "cowshim: error: COWSHIM_MIN_SIZE=1 is out of bounds (%zu to %zu bytes); using 1M\n", 2 * page_size,
             (size_t)1 << 46);
    check_text(read_with("COWSHIM_MIN_SIZE", "1"), wanted);
    CHECK_EQ(config_size(min_size), 1 << 20);
}

TEST(config, a_bad_log_level_and_huge_are_named)
{
    check_text(read_with("COWSHIM_LOG", "loud"), "cowshim: error: COWSHIM_LOG=loud is not one of error|warn|info|debug; using warn\n");
    unsetenv("COWSHIM_LOG");
    check_text(read_with("COWSHIM_HUGE", "on"), "cowshim: error: COWSHIM_HUGE=on is not one of auto|off; using auto\n");
}

TEST(config, each_bad_value_has_one_line_and_good_ones_none)
{
    const char *text;
    int lines = 0;

    setenv("COWSHIM_MODE", "x", 1);
    setenv("COWSHIM_HUGE", "y", 1);
    setenv("COWSHIM_STATS", "stderr", 1);
    for (text = read_with("COWSHIM_LOG", "info"); *text != '\0'; text++)
        lines += *text == '\n';
    CHECK_EQ(lines, 2);
    CHECK(strcmp(config_text(stats), "stderr") == 0);
    CHECK(log_enabled(LOG_LEVEL_INFO) && !log_enabled(LOG_LEVEL_DEBUG));
}

TEST(config, an_overlong_bad_value_still_says_what_is_used)
{
    char value[1000];
    const char *text;

    memset(value, 'a', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    text = read_with("COWSHIM_MODE", value);
    CHECK(strstr(text, "; using auto\n") != NULL);
}

TEST(config, an_empty_value_is_the_default_and_silent)
{
    check_text(read_with("COWSHIM_MODE", ""), "");
    CHECK_EQ(config_choice(mode), MODE_AUTO);
}

TEST(config, internal_words_are_found_whole_and_with_their_number)
{
    unsigned long number = 5;

    setenv("COWSHIM_INTERNAL", "scan-off,fail=17,guard-always,fail-from=3", 1);
    CHECK(config_internal("scan-off", NULL));
    CHECK(config_internal("guard-always", NULL));
    CHECK(!config_internal("scan", NULL));
    CHECK(!config_internal("off", NULL));
    CHECK(!config_internal("guard-always-not", NULL));
    CHECK(config_internal("fail", &number));
    CHECK_EQ(number, 17);
    CHECK(config_internal("fail-from", &number));
    CHECK_EQ(number, 3);
    CHECK(config_internal("scan-off", &number));
    CHECK_EQ(number, 0);
    unsetenv("COWSHIM_INTERNAL");
    CHECK(!config_internal("scan-off", NULL));
}

TEST(near, names_that_were_meant)
{
    static const char *const names[] = {"MODE", "MIN_SIZE", "POLICY", "PROGRAMS", "STATS"};
    static const struct {
        const char *word, *meant;
    } words[] = {
        {"POLCY", "POLICY"},
        {"POLYCI", "POLICY"},
        {"PLOICY", "POLICY"},
        {"MINSIZE", "MIN_SIZE"},
        {"STAT", "STATS"},
        {"MODES", "MODE"},
        {"MODE", "MODE"},
        {"LOG", NULL},
        {"", NULL},
        {"PROGRAM", "PROGRAMS"},
        {"PROGRAMS_PROGRAMS_PROGRAMS_PROGRAMS_PROGRAMS", NULL},
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const char *found = near_find(words[i].word, names, sizeof names / sizeof *names);

        CHECK_AT((found == NULL) == (words[i].meant == NULL) && (found == NULL || strcmp(found, words[i].meant) == 0), i);
    }
    CHECK_EQ(near_distance("kitten", "sitting"), 3);
    CHECK_EQ(near_distance("ab", "ba"), 1);
    CHECK_EQ(near_distance("", "abc"), 3);
}
