// SPDX-License-Identifier: GPL-2.0
/*
 * Measure one system call or one page fault: the least of many repetitions, in nanoseconds, which
 * are instructions under `lab/run --icount`.  Interrupts only ever add, so the least is the path itself.
 *
 *   measure read|write|fdatasync FILE BYTES BUFFER    at offset 0; fdatasync: after a write
 *   measure fault|munmap FILE 4k|2m                   stores to a shared mapping of a DAX file
 *
 * BUFFER says how, and with which memory: "cached" is through the page cache, the others are O_DIRECT
 * from a DAX file mapped by entries of that size ("dax-4k:FILE", "dax-2m:FILE"), from anonymous 4 KiB
 * pages of which no two ("scattered") or all ("adjacent") are physical neighbours, or from an anonymous
 * 2 MiB page ("huge").  Which the allocator gives depends on what ran before; what a
 * scattered and an adjacent page cost differs by more than any change that this is to find.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define PAGE_SZ		4096UL
#define PMD_SZ		(2UL << 20)
#define BUFFER_SZ	(1UL << 20)
#define POOL_PAGES	(64 * BUFFER_SZ / PAGE_SZ)
#define FILE_SZ		(64UL << 20)
#define REPETITIONS	70		/* of each process: jobs run three */

static uint64_t least = UINT64_MAX;

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000UL + ts.tv_nsec;
}

static void take(uint64_t time)
{
	if (time < least)
		least = time;
}

/* What it costs to look at the clock twice. */
static uint64_t clock_cost(void)
{
	uint64_t cost = UINT64_MAX, t;

	for (int i = 0; i < REPETITIONS; i++) {
		t = now();
		t = now() - t;
		if (t < cost)
			cost = t;
	}
	return cost;
}

/* ---- buffers ----------------------------------------------------------------- */

struct page {
	uint64_t pfn;
	char *p;
};

static uint64_t pfn_of(const void *p)
{
	static int fd = -1;
	uint64_t entry;

	if (fd < 0)
		fd = open("/proc/self/pagemap", O_RDONLY);
	if (pread(fd, &entry, 8, (uintptr_t)p / PAGE_SZ * 8) != 8 || !(entry >> 63))
		errx(1, "no pfn in pagemap");
	return entry & ((1UL << 55) - 1);
}

static int by_pfn(const void *a, const void *b)
{
	const struct page *x = a, *y = b;

	return x->pfn < y->pfn ? -1 : x->pfn > y->pfn;
}

/* Anonymous memory at a 2 MiB boundary. */
static char *reserve(size_t len, int advice)
{
	char *p = mmap(NULL, len + PMD_SZ, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		err(1, "mmap");
	p = (char *)(((uintptr_t)p + PMD_SZ - 1) & -PMD_SZ);
	if (madvise(p, len, advice))
		err(1, "madvise");
	return p;
}

/* Take a buffer's pages from a pool: a run of neighbours, or every other page of those in order. */
static char *small_pages(bool adjacent)
{
	static struct page page[POOL_PAGES];
	size_t n = BUFFER_SZ / PAGE_SZ, step = adjacent ? 1 : 2, first = 0;
	char *buf = reserve(BUFFER_SZ, MADV_NOHUGEPAGE);
	char *pool = reserve(POOL_PAGES * PAGE_SZ, MADV_NOHUGEPAGE);

	memset(pool, 1, POOL_PAGES * PAGE_SZ);
	for (size_t i = 0; i < POOL_PAGES; i++)
		page[i] = (struct page){ pfn_of(pool + i * PAGE_SZ), pool + i * PAGE_SZ };
	qsort(page, POOL_PAGES, sizeof(page[0]), by_pfn);
	while (adjacent && page[first + n - 1].pfn - page[first].pfn != n - 1)
		if (++first + n > POOL_PAGES)
			errx(1, "no %zu pages are neighbours", n);
	for (size_t i = 0; i < n; i++)
		if (mremap(page[first + i * step].p, PAGE_SZ, PAGE_SZ, MREMAP_MAYMOVE | MREMAP_FIXED,
			   buf + i * PAGE_SZ) == MAP_FAILED)
			err(1, "mremap");
	return buf;
}

static char *huge_page(void)
{
	char *p = reserve(PMD_SZ, MADV_HUGEPAGE);
	uint64_t pfn;

	memset(p, 1, PMD_SZ);
	pfn = pfn_of(p);
	if (pfn % (PMD_SZ / PAGE_SZ) || pfn_of(p + PMD_SZ - PAGE_SZ) != pfn + PMD_SZ / PAGE_SZ - 1)
		errx(1, "no huge page");
	return p;
}

/* ---- DAX files ---------------------------------------------------------------- */
static long faults(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return ru.ru_minflt + ru.ru_majflt;
}

static int dax_file(const char *file, const char *buf)
{
	int fd = open(file, O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || fallocate(fd, 0, 0, FILE_SZ))
		err(1, "%s", file);
	for (off_t off = 0; off < (off_t)FILE_SZ; off += BUFFER_SZ)
		if (pwrite(fd, buf, BUFFER_SZ, off) != (ssize_t)BUFFER_SZ)
			err(1, "%s", file);
	if (fsync(fd))
		err(1, "%s", file);
	return fd;
}

/* Map the file and fault in all of it; the least time of a fault goes to @fault. */
static char *map_dax(int fd, size_t level, uint64_t *fault)
{
	char *area = reserve(FILE_SZ + PMD_SZ, MADV_NOHUGEPAGE);
	long before = faults(), entries = FILE_SZ / level, first;
	uint64_t t;
	char *p;

	/* Off the 2 MiB boundary by a page there can be no 2 MiB entries. */
	p = mmap(area + (level == PMD_SZ ? 0 : PAGE_SZ), FILE_SZ, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, fd, 0);
	if (p == MAP_FAILED)
		err(1, "mmap");
	for (size_t off = 0; off < FILE_SZ; off += level) {
		t = now();
		*(volatile char *)(p + off) = 1;
		t = now() - t;
		if (fault && t < *fault)
			*fault = t;
	}
	first = faults() - before;
	for (size_t off = 0; off < FILE_SZ; off += PAGE_SZ)
		*(volatile char *)(p + off) = 1;
	/* libc may have a fault or two of its own. */
	if (first < entries || first > entries + 4 || faults() - before > first)
		errx(1, "%ld faults, then %ld; %ld entries were meant", first, faults() - before - first, entries);
	return p;
}
static char *dax_buffer(const char *file, size_t level)
{
	return map_dax(dax_file(file, huge_page()), level, NULL);
}

static char *buffer_of(const char *buffer)
{
	if (!strcmp(buffer, "huge"))
		return huge_page();
	if (!strncmp(buffer, "dax-4k:", 7))
		return dax_buffer(buffer + 7, PAGE_SZ);
	if (!strncmp(buffer, "dax-2m:", 7))
		return dax_buffer(buffer + 7, PMD_SZ);
	return small_pages(!strcmp(buffer, "adjacent"));
}

/* ---- what is measured -------------------------------------------------------- */

static void io(const char *what, const char *file, size_t size, const char *buffer)
{
	bool cached = !strcmp(buffer, "cached");
	char *buf = buffer_of(buffer);
	int fd = open(file, O_RDWR | O_CREAT | (cached ? 0 : O_DIRECT), 0600);
	ssize_t n = size;
	uint64_t t;

	if (fd < 0 || size > BUFFER_SZ)
		err(1, "%s", file);
	/* A ram disk has pages, and a file its blocks, where something was written. */
	if (pwrite(fd, buf, size, 0) != n || fsync(fd) || pread(fd, buf, size, 0) != n)
		err(1, "%s", file);
	for (int i = 0; i < REPETITIONS && n == (ssize_t)size; i++) {
		t = now();
		if (*what == 'r')
			n = pread(fd, buf, size, 0);
		else
			n = pwrite(fd, buf, size, 0);
		if (*what == 'f')
			n = fdatasync(fd) ? -1 : n;
		take(now() - t);
	}
	if (n != (ssize_t)size)
		err(1, "%s %s", what, file);
}

/* Which of mapping, faulting in and unmapping is timed is up to "what". */
static void map(bool munmaps, int fd, size_t level)
{
	uint64_t fault = UINT64_MAX, t;
	char *p = map_dax(fd, level, &fault);

	t = now();
	munmap(p, FILE_SZ);
	take(munmaps ? now() - t : fault);
	munmap(p - (level == PMD_SZ ? 0 : PAGE_SZ), FILE_SZ + PMD_SZ);
}

int main(int argc, char **argv)
{
	cpu_set_t cpu0;

	CPU_ZERO(&cpu0);
	CPU_SET(0, &cpu0);
	if (sched_setaffinity(0, sizeof(cpu0), &cpu0))
		err(1, "sched_setaffinity");
	if (argc == 5) {
		io(argv[1], argv[2], strtoul(argv[3], NULL, 0), argv[4]);
	} else if (argc == 4) {
		int fd = dax_file(argv[2], huge_page());
		bool huge = !strcmp(argv[3], "2m");

		/* With 16,384 faults to one munmap() it takes long. */
		for (int i = 0; i < (huge ? REPETITIONS : 4); i++)
			map(!strcmp(argv[1], "munmap"), fd, huge ? PMD_SZ : PAGE_SZ);
	} else {
		errx(2, "usage: measure read|write|fdatasync FILE BYTES BUFFER | fault|munmap FILE 4k|2m");
	}
	printf("%lu\n", least - clock_cost());
	return 0;
}
