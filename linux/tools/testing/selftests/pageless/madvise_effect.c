// SPDX-License-Identifier: GPL-2.0
/*
 * The advices that promise an effect have it on DAX mappings: populating saves
 * the faults, dropping forgets only the entries, MADV_REMOVE punches a hole.
 * If MADV_DONTNEED lost stores or populate did nothing, users would notice late.
 */
#include "dax_fixture.h"

static void expect_no_faults(struct __test_metadata *_metadata, char *p, bool store)
{
	long before = dax_faults();

	dax_touch(p, MAP_LEN, store);
	EXPECT_LE(dax_faults() - before, 4);
}

TEST_F(map, populate_read_saves_read_faults)
{
	char *q = dax_map(self->fd, 0, MAP_LEN, PROT_READ, MAP_SHARED, variant->huge);

	ASSERT_EQ(0, madvise(q, MAP_LEN, MADV_POPULATE_READ));
	ASSERT_LEVEL(variant->huge ? DAX_2M : DAX_4K, q);
	expect_no_faults(_metadata, q, false);
	EXPECT_EQ(-1, dax_mismatch(q, MAP_LEN, 0, 0));
}

TEST_F(map, populate_write_saves_write_faults)
{
	char *q = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
			  variant->huge);

	ASSERT_EQ(0, madvise(q, MAP_LEN, MADV_POPULATE_WRITE));
	ASSERT_LEVEL(variant->huge ? DAX_2M : DAX_4K, q);
	expect_no_faults(_metadata, q, true);
}

TEST_F(map, map_populate_saves_read_faults)
{
	char *q = dax_map(self->fd, 0, MAP_LEN, PROT_READ, MAP_SHARED | MAP_POPULATE,
			  variant->huge);

	expect_no_faults(_metadata, q, false);
	EXPECT_EQ(-1, dax_mismatch(q, MAP_LEN, 0, 0));
}

TEST_F(map, populate_beyond_eof_fails)
{
	char *q = dax_map(self->fd, 0, MAP_LEN + PMD_SZ, PROT_READ | PROT_WRITE, MAP_SHARED,
			  variant->huge);

	EXPECT_EQ(EFAULT, ERRNO_OF(madvise(q, MAP_LEN + PMD_SZ, MADV_POPULATE_WRITE)));
	EXPECT_EQ(-1, dax_mismatch(q, MAP_LEN, 0, 0));
}

/* One page of a chunk: the entry has to be split or dropped as a whole. */
TEST_F(map, dontneed_forgets_entries_not_stores)
{
	char *page = self->p + PMD_SZ + PAGE_SZ;

	dax_fill(self->p, MAP_LEN, 0, 1);
	ASSERT_EQ(0, madvise(page, PAGE_SZ, MADV_DONTNEED));
	WHEN(dax.check, EXPECT_EQ(0, !!(dax_pagemap(page) & PM_PRESENT)));
	EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 1));
	ASSERT_EQ(0, madvise(self->p, MAP_LEN, MADV_DONTNEED));
	EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 1));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 1));
}

/* The next sync still has to flush what was stored before. */
TEST_F(map, sync_after_dontneed)
{
	dax_fill(self->p, MAP_LEN, 0, 2);
	ASSERT_EQ(0, madvise(self->p, MAP_LEN, MADV_DONTNEED));
	ASSERT_EQ(0, fsync(self->fd));
	EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 2));
}

TEST_F(map, remove_punches_a_hole)
{
	size_t off = PMD_SZ - PAGE_SZ, len = 3 * PAGE_SZ;

	ASSERT_EQ(0, madvise(self->p + off, len, MADV_REMOVE));
	EXPECT_TRUE(dax_all_zero(self->p + off, len));
	EXPECT_EQ(-1, dax_mismatch(self->p, off, 0, 0));
	EXPECT_EQ(-1, dax_mismatch(self->p + off + len, MAP_LEN - off - len, off + len, 0));
	dax_fill(self->p + off, len, off, 3);
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, off, len, 3));
}

DAX_TEST_MAIN
