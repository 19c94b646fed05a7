/* SPDX-License-Identifier: MIT */
/* Preloaded instead of the shim: what LD_PRELOAD costs a process whatever the library does. */
int cowshim_bench_empty(void);

int cowshim_bench_empty(void)
{
    return 0;
}
