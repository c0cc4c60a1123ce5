/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the page-less DAX tests share: where to test, files with 2 MiB extents,
 * mappings of a chosen page-table level, and reading that level back.
 *
 * A program runs as PROGRAM DIR [OTHER].  DIR is on the mount to test, OTHER is
 * a file or block device without DAX (source and target of direct I/O).  The
 * environment can say the same, and more:
 *
 *   PAGELESS_DIR, PAGELESS_OTHER  instead of the arguments
 *   PAGELESS_KIND                 "pageless" or "pages": what backs DIR
 *   PAGELESS_NO_DAX_CHECK=1       DIR need not be DAX
 */
#ifndef DAX_TEST_H
#define DAX_TEST_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include <linux/fs.h>
#include "kselftest.h"

#define PAGE_SZ	4096UL
#define PMD_SZ	(2UL << 20)

#define XFS_MAGIC	0x58465342
#define EXT4_MAGIC	0xef53

/* Values of the kernel's uapi that Debian 12's headers lack. */
#ifndef PAGEMAP_SCAN
#define PAGEMAP_SCAN		_IOWR('f', 16, struct pm_scan_arg)
#define PAGE_IS_WPALLOWED	(1 << 0)
#define PAGE_IS_WRITTEN		(1 << 1)
#define PAGE_IS_FILE		(1 << 2)
#define PAGE_IS_PRESENT		(1 << 3)
#define PAGE_IS_SWAPPED		(1 << 4)
#define PAGE_IS_PFNZERO		(1 << 5)
#define PAGE_IS_HUGE		(1 << 6)

struct page_region {
	uint64_t start;
	uint64_t end;
	uint64_t categories;
};

struct pm_scan_arg {
	uint64_t size;
	uint64_t flags;
	uint64_t start;
	uint64_t end;
	uint64_t walk_end;
	uint64_t vec;
	uint64_t vec_len;
	uint64_t max_pages;
	uint64_t category_inverted;
	uint64_t category_mask;
	uint64_t category_anyof_mask;
	uint64_t return_mask;
};
#endif

/* Bits of an entry of /proc/self/pagemap. */
#define PM_PRESENT	(1ULL << 63)
#define PM_SOFT_DIRTY	(1ULL << 55)
#define PM_PFN_MASK	((1ULL << 55) - 1)

struct dax_env {
	const char *dir;	/* the directory to test */
	const char *other;	/* a file without DAX, or NULL */
	bool check;		/* files in dir must be DAX */
	bool keep;		/* leave the files there */
	int gup_errno;		/* of get_user_pages() on a mapping; 0: success */
};

extern struct dax_env dax;		/* set by dax_init() */
extern siginfo_t dax_siginfo;		/* of the last signal of dax_try_*() */

enum dax_level { DAX_NONE, DAX_4K, DAX_2M };

void dax_init(int argc, char **argv);
__noreturn __printf(1, 2) void dax_die(const char *fmt, ...);

/*
 * New files, unlinked at once unless dax.keep.  dax_create() allocates and
 * fills with pattern 0, dax_create_hole() only sets the size.  Both die if the
 * file is not DAX.
 */
int dax_create(size_t size);
int dax_create_hole(size_t size);
int dax_tmpfile(const char *dir);
int dax_open_at(int dir, const char *name);	/* makes it if need be, and it stays */
bool dax_is_dax(int fd);
int dax_set_flag(int fd, bool on);		/* FS_XFLAG_DAX; 0 or an errno */
bool dax_huge_extents(int fd);
long dax_fs_magic(int fd);

/*
 * Map at an address that allows 2 MiB entries, or (!huge) at one that does
 * not.  The file remembers: once faulted by 4 KiB, a chunk stays 4 KiB.
 * dax_try_map() gives NULL and errno where dax_map() dies.
 */
char *dax_try_map(int fd, off_t off, size_t len, int prot, int flags, bool huge);
char *dax_map(int fd, off_t off, size_t len, int prot, int flags, bool huge);
char *dax_anonymous(size_t len, int type);	/* MAP_PRIVATE or MAP_SHARED, without a file */
void dax_populate(char *p, size_t len);
void dax_touch(char *p, size_t len, bool store);
bool dax_all_present(const char *p, size_t len);
enum dax_level dax_level(const void *p);
uint64_t dax_pagemap(const void *p);
void dax_pagemap_range(const void *p, uint64_t *entry, size_t pages);
int dax_pagemap_scan(struct pm_scan_arg *arg);
long dax_faults(void);

/*
 * Pattern @seed of file offset @off; dax_mismatch() gives an offset or -1.  So do the others, of what
 * a file has there, and of the next @len bytes from a pipe or socket.  Those with _file_ share a buffer:
 * not by two threads at once.
 */
void dax_fill(void *buf, size_t len, off_t off, uint64_t seed);
void dax_file_fill(int fd, off_t off, size_t len, uint64_t seed);
ssize_t dax_mismatch(const void *buf, size_t len, off_t off, uint64_t seed);
ssize_t dax_file_mismatch(int fd, off_t off, size_t len, uint64_t seed);
ssize_t dax_received_mismatch(int fd, off_t off, size_t len, uint64_t seed);
bool dax_all_zero(const void *buf, size_t len);

/* One access, not optimised away; then with 0 or the signal that it raised. */
void dax_load(const char *p);
void dax_store(char *p, char value);
int dax_try_load(const char *p);
int dax_try_store(char *p, char value);

void dax_flush(const void *p, size_t len);
int dax_wait(pid_t pid);
ssize_t dax_read_path(const char *path, char *buf, size_t size);
int dax_write_path(const char *path, const char *text);

/*
 * Wait until @condition, and say whether it came true. A virtual CPU may be held up by its
 * host for many seconds: the limit is just below the time that the harness gives a
 * test, and says only that something hangs.
 */
#define DAX_EVENTUALLY(condition)						\
({										\
	bool __met;								\
										\
	for (int __i = 0; !(__met = (condition)) && __i < 10000; __i++)		\
		usleep(10000);							\
	__met;									\
})

/* Page-less frames that are pinned, all in all; -1 where the kernel does not count them. */
long dax_pins(void);

#endif /* DAX_TEST_H */
