/* SPDX-License-Identifier: MIT */
/* CHECK(condition) and CHECK(condition, format, ...): ends a test whose condition does not hold, and says where and why: the condition, or the
   words. A kind of tests that includes this has a function check_failed() and defines CHECK_END, what ends one of its tests. */
#ifndef COWSHIM_TESTS_SUPPORT_CHECK_H
#define COWSHIM_TESTS_SUPPORT_CHECK_H

#define CHECK(condition, ...) \
    do { \
        if (!(condition)) { \
            check_failed(__FILE__, __LINE__, #condition, " " __VA_ARGS__); \
            CHECK_END; \
        } \
    } while (0)

#endif
