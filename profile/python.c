/* SPDX-License-Identifier: MIT */
#include "profile/python.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/thread.h"

/* No descriptor has this number. */
#define CAPTURE (-771103)

typedef void dump_function(int fd, void *thread_state);
typedef void *this_thread_function(void);
typedef ssize_t write_function(int fd, const void *data, size_t size);

static _Atomic(dump_function *) dump;
static _Atomic(this_thread_function *) this_thread;
static _Atomic(write_function *) next_write;

static THREAD_LOCAL struct {
    char *text;
    size_t size, used;
} capture;

__attribute__((visibility("default"))) ssize_t write(int fd, const void *data, size_t size);

void python_find(void)
{
    int saved = errno;

    atomic_store(&next_write, (write_function *)dlsym(RTLD_NEXT, "write"));
    if (atomic_load(&dump) == NULL) {
        dump_function *found = (dump_function *)dlsym(RTLD_DEFAULT, "_Py_DumpTraceback");

        if (found == NULL)
            found = (dump_function *)dlsym(RTLD_DEFAULT, "PyUnstable_DumpTraceback");
        atomic_store(&this_thread, (this_thread_function *)dlsym(RTLD_DEFAULT, "PyGILState_GetThisThreadState"));
        atomic_store(&dump, atomic_load(&this_thread) == NULL ? NULL : found);
    }
    errno = saved;
}

size_t python_traceback(char *text, size_t size)
{
    dump_function *function = atomic_load_explicit(&dump, memory_order_relaxed);
    void *thread = function == NULL ? NULL : atomic_load_explicit(&this_thread, memory_order_relaxed)();

    if (thread == NULL)
        return 0;
    capture.text = text;
    capture.size = size;
    capture.used = 0;
    function(CAPTURE, thread);
    return capture.used;
}

static ssize_t keep(const char *data, size_t size)
{
    size_t room = capture.size - capture.used;
    size_t kept = size < room ? size : room;

    for (size_t i = 0; i < kept; i++) /* nearly always one character */
        capture.text[capture.used + i] = data[i];
    capture.used += kept;
    return (ssize_t)size;
}

ssize_t write(int fd, const void *data, size_t size)
{
    write_function *function;

    if (__builtin_expect(fd == CAPTURE, 0))
        return keep(data, size);
    function = atomic_load_explicit(&next_write, memory_order_relaxed);
    if (function == NULL) {
        function = (write_function *)dlsym(RTLD_NEXT, "write");
        atomic_store(&next_write, function);
    }
    return function(fd, data, size);
}
