/* SPDX-License-Identifier: MIT */
/* What the shim asks of the engine. Every function keeps errno, may be called from any thread at any time, never calls the
   program's allocator, and never fails in a way that the program must know of: false means "do it plainly". */
#ifndef COWSHIM_ENGINE_ENGINE_H
#define COWSHIM_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* After config_read(). Registers nothing with libc; the shim calls the fork functions. */
void engine_start(void);
/* Before the first block: learns what this kernel can do, and shows the process to others. Cheap afterwards. */
void engine_wake(void);

enum engine_copied {
    COPIED_NOT,     /* copy plainly; views that the plain copy would overwrite whole may have been dropped, which nobody can tell */
    COPIED_PLAINLY, /* it is done, and nothing of it is shared */
    COPIED_SHARED   /* it is done, and at least a part is shared */
};

/* memcpy for size >= COWSHIM_MIN_SIZE. caller: the place in the program, for the policy. */
enum engine_copied engine_copy(void *to, const void *from, size_t size, const void *caller);
/* memset likewise. */
bool engine_fill(void *to, int value, size_t size);
/* To be called after explicit_bzero(): what no view shows any more must not live on in a store. */
void engine_wiped(const void *start, size_t size);

/* For a call that is too small for us, where something may have died since the last large one: gives back what nobody sees. Never waits. */
void engine_glance(void);
/* watch(true): from now on small calls shall do that; watch(false): nothing can have died. */
void engine_watch(void (*watch)(bool on));

/* Blocks. add: false when it could not be written down. */
bool engine_add(void *start, size_t size, void *raw);
/* The same, of memory that a maker asked for: a number for a place in the program, or 0 for one that need not be known. Its blocks start
   engine_lead() bytes before a page boundary: 0 or ENGINE_LEAD. guess: whether that is likely, as long as nothing was learned of it. */
#define ENGINE_LEAD ((size_t)32) /* the header of Python's bytes object */
bool engine_add_made(void *start, size_t size, void *raw, uint32_t maker);
size_t engine_lead(uint32_t maker, bool guess);
/* Takes a block out for good and makes it anonymous: what the allocator gets back. False: not a block.
   *raw is NULL when the memory must not be given back (it could not be made anonymous, or we are in a signal handler inside of us,
   or in a child that cannot trust what it inherited); in the first case engine_take_stuck hands it out later, else it is lost. */
bool engine_remove(void *start, void **raw);
/* Memory that could not be given back when it was removed, and now can; or NULL. To be asked for where memory is freed or wanted. */
void *engine_take_stuck(void);
/* The block that starts there. raw is NULL where only its size could be told (see engine_remove), and in registered memory, which is
   for the next allocator to resize if it knows it. */
struct engine_block {
    void *raw;
    size_t size;
    uint32_t maker;
    bool has_views;
    bool registered;
};
bool engine_look_up(const void *start, struct engine_block *out);
void engine_set_size(const void *start, size_t size);
/* Cuts a block short in place: views and pages beyond the new size are dropped. */
void engine_shrink(const void *start, size_t size);

/* A block without views is about to be resized by the allocator: out of the registry, and back at another place.
   withdraw: NULL if it is not a block or has views. */
struct block;
struct block *engine_withdraw(const void *start);
void engine_return(struct block *block, void *start, size_t size, void *raw);

/* Moves the contents of one block into another (fresh) one, pages rather than bytes; the source is left with unspecified
   contents, to be removed. */
void engine_move(void *to, void *from, size_t size);

/* Memory calls of the program on ranges that may contain blocks. */
enum engine_memory_call {
    MEMORY_ZERO,        /* the range reads as zero from now on (MADV_DONTNEED): views in it are dropped */
    MEMORY_ZERO_LOCKED, /* the same where it may be locked, and stays so */
    MEMORY_FREE,        /* the contents may go (MADV_FREE): views are dropped where that is simple */
    MEMORY_EXCLUDE,     /* about to be protected: no copy touches these blocks any more */
    MEMORY_SETTLED,     /* that was done: in foreign blocks the kernel is asked from now on */
    MEMORY_GONE,        /* unmapped, moved or mapped anew by the program: excluded, and the views there are no longer ours; they may
                       live on somewhere, so that their stores are never punched */
    MEMORY_KEEP,        /* marked as the program's own business (secret, not for children or core dumps): excluded, and its contents
                       leave the stores as far as this block is concerned */
    MEMORY_ADMIT,       /* readable and writable again */
    MEMORY_HUGE,        /* huge pages wanted */
    MEMORY_COLLAPSE,    /* and that at once: what shows a store becomes memory that the kernel can do it with */
};
/* False: nothing could be done (see engine_remove); a range that must read as zero is then for the caller to fill. */
bool engine_memory_call(const void *start, size_t size, enum engine_memory_call call);
/* MADV_DONTNEED, before the kernel sees it: other threads must find zeros, not what a store has under the pages that the kernel takes away.
   True: all of the range is done. False: it is for MEMORY_ZERO, after the call, for the kernel may refuse. */
bool engine_zero_ahead(const void *start, size_t size);
/* The range is about to be unmapped, or mapped anew. True: it has to do with blocks, and engine_gone() must be told what became of it. */
bool engine_going(const void *start, size_t size);
void engine_gone(const void *start, size_t size, bool went);
/* A call of the program failed for want of memory or mappings. True: some mappings were given up, it may try again. */
bool engine_yield_mappings(void);
/* malloc's memory, or other, may be in huge pages of hugetlbfs from now on: the kernel is asked what is mapped, also where that takes
   long. */
void engine_note_hugetlb(void);
/* The part of a range that lies in one block, without any lock; false if none was found. For when engine_memory_call says false. */
bool engine_peek(const void *start, size_t size, void **from, size_t *length);
/* Why no copy is shared at the moment. */
enum stop {
    STOP_LOCKED = 1, /* mlockall(MCL_FUTURE) */
    STOP_PLACED = 2, /* set_mempolicy: the program wants its pages to lie where it says, and those of a store would not */
    STOP_COUNTED = 4 /* vm.overcommit_memory=2: a store is counted beside the memory that shows it, so that the limit would come sooner */
};
void engine_stop_sharing(enum stop why, bool stopped);
bool engine_sharing_stopped(void);
/* The kernel merges equal pages of this process from now on (PR_SET_MEMORY_MERGE). */
void engine_note_merging(void);
/* The program is about to shut itself in (seccomp), or could not: from now on no system call of ours is made, and only what needs none
   is done. Returns when nothing else is under way in any thread. */
void engine_confine(bool confined);
bool engine_confined(void);

/* Fork: prepare, then one of the others. */
void engine_fork_prepare(void);
void engine_fork_parent(void);
void engine_fork_child(void);

/* Between these two nothing of ours is under way in any thread, and nobody relies on a descriptor's number. pause: false when this
   thread itself was interrupted inside of us. */
bool engine_pause(void);
void engine_resume(void);

/* The summary for COWSHIM_STATS: text for people or one line of JSON (libcowshim(7) has its fields). Returns its length, at most
   size - 1; 0 where there is nothing to tell: no large copy, and of JSON no large allocation either. */
size_t engine_summary(char *text, size_t size, bool json);
/* Allocated bytes of the stores that are open. */
uint64_t engine_store_bytes(void);

#endif
