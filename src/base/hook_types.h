/* SPDX-License-Identifier: MIT */
/* The types that base/hooks.def names. */
#ifndef COWSHIM_BASE_HOOK_TYPES_H
#define COWSHIM_BASE_HOOK_TYPES_H

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#endif
