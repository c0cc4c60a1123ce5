// SPDX-License-Identifier: GPL-2.0
/*
 * msync() and the fsync() family flush what was stored through a mapping from the
 * CPU's caches, and write-protect it, so that the next store is noticed and flushed
 * by the next sync.  If it were not, that store could be lost at power failure.
 *
 * No store is lost with a process, or with a guest, so a kprobe sees the flushes.
 * Nobody else may use the file system meanwhile.
 */
#include "dax_fixture.h"

#define TRACING	"/sys/kernel/debug/tracing/"
#define ENABLE	TRACING "events/daxtest/flush/enable"
#define PROBE	"daxtest/flush arch_wb_cache_pmem addr=$arg1:x64 size=$arg2:x64\n"

#define GIB	(1UL << 30)

enum how { MSYNC, FSYNC, FDATASYNC, RANGE, SYNCFS, HOWS };

static int sync_by(enum how how, int fd, char *p)
{
	switch (how) {
	case MSYNC:
		return msync(p, MAP_LEN, MS_SYNC);
	case FSYNC:
		return fsync(fd);
	case FDATASYNC:
		return fdatasync(fd);
	case RANGE:
		return sync_file_range(fd, 0, MAP_LEN, SYNC_FILE_RANGE_WRITE_AND_WAIT);
	default:
		return syncfs(fd);
	}
}

/* Faults that one store takes. */
static long faults_of_store(char *p, char value)
{
	long before = dax_faults();

	dax_store(p, value);
	return dax_faults() - before;
}

TEST_F(map, store_after_sync_faults_again)
{
	char *p = self->p + PMD_SZ + 3 * PAGE_SZ;

	if (!dax.check)
		SKIP(return, "page cache may be cleaned by others");
	for (enum how how = 0; how < HOWS; how++) {
		ASSERT_EQ(0, sync_by(how, self->fd, self->p)) TH_LOG("sync %d", how);
		EXPECT_EQ(1, faults_of_store(p, how)) TH_LOG("sync %d", how);
		EXPECT_EQ(0, faults_of_store(p, how + 1)) TH_LOG("sync %d", how);
	}
	ASSERT_LEVEL(variant->huge ? DAX_2M : DAX_4K, p);
}

TEST_F(map, data_survives_each_sync)
{
	for (enum how how = 0; how < HOWS; how++) {
		dax_fill(self->p, MAP_LEN, 0, how + 1);
		ASSERT_EQ(0, sync_by(how, self->fd, self->p)) TH_LOG("sync %d", how);
		EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, how + 1));
		EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, how + 1));
	}
}

/* A sync of a part must leave the rest to a later one, not drop it. */
TEST_F(map, sync_of_a_part)
{
	char *p = self->p + PMD_SZ;

	dax_fill(self->p, MAP_LEN, 0, 1);
	ASSERT_EQ(0, msync(p, PAGE_SZ, MS_SYNC));
	ASSERT_EQ(0, msync(self->p, PAGE_SZ, MS_ASYNC));
	WHEN(dax.check, EXPECT_EQ(1, faults_of_store(p, 9)));
	dax_fill(p, PAGE_SZ, PMD_SZ, 1);
	ASSERT_EQ(0, fsync(self->fd));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 1));
}

/* Each mapping of the file is write-protected, whatever its level. */
TEST_F(map, every_mapping_is_write_protected)
{
	char *q = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, false);

	dax_populate(q, MAP_LEN);
	if (!dax.check)
		SKIP(return, "page cache may be cleaned by others");
	ASSERT_EQ(0, fsync(self->fd));
	EXPECT_EQ(1, faults_of_store(self->p, 1));
	EXPECT_EQ(1, faults_of_store(q, 2));
	EXPECT_EQ(2, self->p[0]);
}

/* -------- what is flushed --------------------------------------------------- */

struct flush {
	uint64_t addr;
	uint64_t size;
};

/* Stored to by the test: two pages of one chunk and one of another. */
static const size_t dirty[] = { 3 * PAGE_SZ, 7 * PAGE_SZ, PMD_SZ + 5 * PAGE_SZ };

static bool watch(void)
{
	dax_write_path(ENABLE, "0");
	dax_write_path(TRACING "kprobe_events", "-:daxtest/flush\n");
	return !dax_write_path(TRACING "kprobe_events", "p:" PROBE) && !dax_write_path(ENABLE, "1");
}

static void forget(void)
{
	close(open(TRACING "trace", O_WRONLY | O_TRUNC));
}

/* What was flushed since forget(), in order. */
static int flushes(struct flush *f, int max)
{
	static char text[1 << 18];
	int n = 0;

	if (dax_read_path(TRACING "trace", text, sizeof(text)) < 0)
		return -1;
	for (char *p = text; n < max && (p = strstr(p, " addr=")); p++, n++)
		if (sscanf(p, " addr=%lx size=%lx", &f[n].addr, &f[n].size) != 2)
			return -1;
	return n;
}

static uint64_t phys(const char *p)
{
	return (dax_pagemap(p) & PM_PFN_MASK) * PAGE_SZ;
}

static void store(char *p)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(dirty); i++)
		dax_store(p + dirty[i], i);
	forget();
}

/* Each of @n flushes is of the entry at @p + off[i], through the linear map. */
static void expect_flushes(struct __test_metadata *_metadata, char *p, const size_t *off, int n,
			   size_t size)
{
	struct flush f[8] = { 0 };

	ASSERT_EQ(n, flushes(f, ARRAY_SIZE(f)));
	for (int i = 0; i < n; i++) {
		uint64_t base = f[i].addr - phys(p + off[i]);

		EXPECT_EQ(size, f[i].size) TH_LOG("flush %d", i);
		EXPECT_EQ(0UL, base % GIB) TH_LOG("flush %d", i);
		EXPECT_EQ(f[0].addr - phys(p + off[0]), base) TH_LOG("flush %d", i);
	}
}

TEST_F(map, each_dirty_entry_is_flushed)
{
	static const size_t chunks[] = { 0, PMD_SZ };
	const size_t *off = variant->huge ? chunks : dirty;
	int n = variant->huge ? ARRAY_SIZE(chunks) : ARRAY_SIZE(dirty);
	size_t size = variant->huge ? PMD_SZ : PAGE_SZ;

	if (!dax.check)
		SKIP(return, "the page cache is not flushed");
	if (!watch())
		SKIP(return, "kernel without CONFIG_KPROBE_EVENTS or persistent memory");
	ASSERT_EQ(0, fsync(self->fd));

	store(self->p);
	ASSERT_EQ(0, fsync(self->fd));
	expect_flushes(_metadata, self->p, off, n, size);

	store(self->p);
	ASSERT_EQ(0, msync(self->p, MAP_LEN, MS_SYNC));
	expect_flushes(_metadata, self->p, off, n, size);

	/* What is in the part, and the rest later. */
	store(self->p);
	ASSERT_EQ(0, msync(self->p + PMD_SZ, PMD_SZ, MS_SYNC));
	expect_flushes(_metadata, self->p, off + n - 1, 1, size);
	forget();
	ASSERT_EQ(0, fsync(self->fd));
	expect_flushes(_metadata, self->p, off, n - 1, size);

	forget();
	ASSERT_EQ(0, fsync(self->fd));
	expect_flushes(_metadata, self->p, off, 0, size);
	dax_write_path(ENABLE, "0");
}

DAX_TEST_MAIN
