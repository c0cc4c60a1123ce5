// SPDX-License-Identifier: GPL-2.0
/*
 * Helpers of the page-less DAX tests: mappings, page-table levels, data and
 * signals; dax_test.h says what each promises.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "dax_test.h"

siginfo_t dax_siginfo;

static sigjmp_buf try_env;

char *dax_try_map(int fd, off_t off, size_t len, int prot, int flags, bool huge)
{
	size_t room = len + 2 * PMD_SZ;
	char *area, *p, *end;

	area = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		return NULL;
	p = (char *)(((uintptr_t)area + PMD_SZ - 1) & ~(PMD_SZ - 1));
	p += off % PMD_SZ + (huge ? 0 : PAGE_SZ);
	end = p + ((len + PAGE_SZ - 1) & ~(PAGE_SZ - 1));
	if (p != area)
		munmap(area, p - area);
	munmap(end, area + room - end);
	p = mmap(p, len, prot, flags | MAP_FIXED, fd, off);
	return p == MAP_FAILED ? NULL : p;
}

char *dax_map(int fd, off_t off, size_t len, int prot, int flags, bool huge)
{
	char *p = dax_try_map(fd, off, len, prot, flags, huge);

	if (!p)
		dax_die("mmap");
	return p;
}

char *dax_anonymous(size_t len, int type)
{
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, type | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		dax_die("mmap");
	return p;
}

/* Write faults that leave pattern 0 as it is. */
void dax_populate(char *p, size_t len)
{
	for (size_t off = 0; off < len; off += PAGE_SZ)
		dax_fill(p + off, sizeof(uint64_t), off, 0);
}

/* Fault by loads, or by stores of a 1 to each page. */
void dax_touch(char *p, size_t len, bool store)
{
	for (size_t off = 0; off < len; off += PAGE_SZ) {
		if (store)
			dax_store(p + off, 1);
		else
			dax_load(p + off);
	}
}

bool dax_all_present(const char *p, size_t len)
{
	uint64_t entry[PMD_SZ / PAGE_SZ];
	size_t pages = len / PAGE_SZ;

	for (size_t done = 0, n; done < pages; done += n) {
		n = pages - done < ARRAY_SIZE(entry) ? pages - done : ARRAY_SIZE(entry);
		dax_pagemap_range(p + done * PAGE_SZ, entry, n);
		for (size_t i = 0; i < n; i++)
			if (!(entry[i] & PM_PRESENT))
				return false;
	}
	return true;
}

int dax_pagemap_scan(struct pm_scan_arg *arg)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	int ret;

	if (fd < 0)
		dax_die("/proc/self/pagemap");
	arg->size = sizeof(*arg);
	ret = ioctl(fd, PAGEMAP_SCAN, arg);
	close(fd);
	return ret;
}

enum dax_level dax_level(const void *p)
{
	uintptr_t addr = (uintptr_t)p & ~(PAGE_SZ - 1);
	struct page_region region = { 0 };
	struct pm_scan_arg arg = {
		.start = addr,
		.end = addr + PAGE_SZ,
		.vec = (uintptr_t)&region,
		.vec_len = 1,
		.category_mask = PAGE_IS_PRESENT,
		.return_mask = PAGE_IS_PRESENT | PAGE_IS_HUGE,
	};
	int n = dax_pagemap_scan(&arg);

	if (n < 0)
		dax_die("PAGEMAP_SCAN");
	if (!n)
		return DAX_NONE;
	return region.categories & PAGE_IS_HUGE ? DAX_2M : DAX_4K;
}

void dax_pagemap_range(const void *p, uint64_t *entry, size_t pages)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	ssize_t size = pages * sizeof(*entry);

	if (fd < 0 || pread(fd, entry, size, (uintptr_t)p / PAGE_SZ * sizeof(*entry)) != size)
		dax_die("/proc/self/pagemap");
	close(fd);
}

uint64_t dax_pagemap(const void *p)
{
	uint64_t entry;

	dax_pagemap_range(p, &entry, 1);
	return entry;
}

long dax_faults(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return ru.ru_minflt + ru.ru_majflt;
}

/* Data */

static uint64_t pattern(off_t off, uint64_t seed)
{
	return ((uint64_t)off + 1) * 0x9e3779b97f4a7c15ULL + (seed << 32);
}

void dax_fill(void *buf, size_t len, off_t off, uint64_t seed)
{
	uint64_t *word = buf;

	for (size_t i = 0; i < len / 8; i++)
		word[i] = pattern(off + i * 8, seed);
}

ssize_t dax_mismatch(const void *buf, size_t len, off_t off, uint64_t seed)
{
	const uint64_t *word = buf;

	for (size_t i = 0; i < len / 8; i++)
		if (word[i] != pattern(off + i * 8, seed))
			return off + i * 8;
	return -1;
}

/* What moves between files and memory: a new buffer of megabytes would cost a page fault for each page. */
static char piece[64 * PAGE_SZ];

void dax_file_fill(int fd, off_t off, size_t len, uint64_t seed)
{
	for (size_t done = 0, n; done < len; done += n) {
		n = len - done < sizeof(piece) ? len - done : sizeof(piece);
		dax_fill(piece, n, off + done, seed);
		if (pwrite(fd, piece, n, off + done) != (ssize_t)n)
			dax_die("pwrite %zu bytes at %ld", n, (long)(off + done));
	}
}

ssize_t dax_file_mismatch(int fd, off_t off, size_t len, uint64_t seed)
{
	ssize_t bad = -1;

	for (size_t done = 0, n; done < len && bad < 0; done += n) {
		n = len - done < sizeof(piece) ? len - done : sizeof(piece);
		if (pread(fd, piece, n, off + done) != (ssize_t)n)
			dax_die("pread %zu bytes at %ld", n, (long)(off + done));
		bad = dax_mismatch(piece, n, off + done, seed);
	}
	return bad;
}

ssize_t dax_received_mismatch(int fd, off_t off, size_t len, uint64_t seed)
{
	char *buf = malloc(len);
	size_t done = 0;
	ssize_t n, bad;

	while (done < len && (n = read(fd, buf + done, len - done)) > 0)
		done += n;
	bad = done < len ? off + (ssize_t)done : dax_mismatch(buf, len, off, seed);
	free(buf);
	return bad;
}

bool dax_all_zero(const void *buf, size_t len)
{
	const char *p = buf;

	return !len || (!p[0] && !memcmp(p, p + 1, len - 1));
}

/* Signals and processes */

void dax_load(const char *p)
{
	(void)__atomic_load_n(p, __ATOMIC_RELAXED);
}

void dax_store(char *p, char value)
{
	__atomic_store_n(p, value, __ATOMIC_RELAXED);
}

static void catch_signal(int sig, siginfo_t *info, void *context)
{
	dax_siginfo = *info;
	siglongjmp(try_env, sig);
}

/* Run one access with SIGBUS and SIGSEGV caught. */
static int try_access(char *p, bool store, char value)
{
	struct sigaction act = { .sa_sigaction = catch_signal, .sa_flags = SA_SIGINFO };
	struct sigaction bus, segv;
	int sig;

	sigaction(SIGBUS, &act, &bus);
	sigaction(SIGSEGV, &act, &segv);
	sig = sigsetjmp(try_env, 1);
	if (!sig && store)
		dax_store(p, value);
	else if (!sig)
		dax_load(p);
	sigaction(SIGBUS, &bus, NULL);
	sigaction(SIGSEGV, &segv, NULL);
	return sig;
}

int dax_try_load(const char *p)
{
	return try_access((char *)p, false, 0);
}

int dax_try_store(char *p, char value)
{
	return try_access(p, true, value);
}

/* Make stores durable, as a user of MAP_SYNC does. */
void dax_flush(const void *p, size_t len)
{
#if defined(__x86_64__)
	const char *line = (const char *)((uintptr_t)p & ~63UL);

	for (; line < (const char *)p + len; line += 64)
		__builtin_ia32_clflush(line);
	__builtin_ia32_sfence();
#else
	uintptr_t start = (uintptr_t)p & ~(PAGE_SZ - 1);

	if (msync((void *)start, (uintptr_t)p + len - start, MS_SYNC))
		dax_die("msync");
#endif
}

/* Exit status of a child, 128 + signal if one killed it. */
int dax_wait(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		dax_die("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
