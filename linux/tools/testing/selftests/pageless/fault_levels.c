// SPDX-License-Identifier: GPL-2.0
/*
 * Faults in a DAX file map the file's own memory, by 4 KiB or by 2 MiB entries
 * as the mapping allows.  If the level is wrong, databases lose their TLB reach;
 * if the memory is wrong, mmap() and read() disagree about a file.
 */
#include <limits.h>
#include "dax_fixture.h"

/* Faults that touching one chunk takes; libc may add a few of its own. */
static void expect_faults(struct __test_metadata *_metadata, long faults, bool huge)
{
	if (!dax.check)
		return;
	EXPECT_GE(faults, huge ? 1 : (long)(PMD_SZ / PAGE_SZ));
	EXPECT_LE(faults, huge ? 8 : LONG_MAX);
}

TEST_F(map, write_faults_have_the_level)
{
	char *p = dax_map(self->fd, 0, PMD_SZ, PROT_READ | PROT_WRITE, MAP_SHARED,
			  variant->huge);
	long before = dax_faults();

	dax_populate(p, PMD_SZ);
	expect_faults(_metadata, dax_faults() - before, variant->huge);
	ASSERT_LEVEL(variant->huge ? DAX_2M : DAX_4K, p);
	EXPECT_EQ(-1, dax_mismatch(p, PMD_SZ, 0, 0));
}

TEST_F(map, read_faults_have_the_level)
{
	char *p = dax_map(self->fd, 0, PMD_SZ, PROT_READ, MAP_SHARED, variant->huge);
	long before = dax_faults();

	dax_touch(p, PMD_SZ, false);
	expect_faults(_metadata, dax_faults() - before, variant->huge);
	ASSERT_LEVEL(variant->huge ? DAX_2M : DAX_4K, p);
	EXPECT_EQ(-1, dax_mismatch(p, PMD_SZ, 0, 0));
}

TEST_F(map, write_fault_after_read_fault)
{
	char *p = dax_map(self->fd, 0, PMD_SZ, PROT_READ | PROT_WRITE, MAP_SHARED,
			  variant->huge);

	ASSERT_EQ(0, dax_try_load(p));
	dax_fill(p, PMD_SZ, 0, 1);
	ASSERT_LEVEL(variant->huge ? DAX_2M : DAX_4K, p);
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, PMD_SZ, 1));
}

TEST_F(map, stores_are_seen_by_read)
{
	dax_fill(self->p, MAP_LEN, 0, 2);
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 2));
}

TEST_F(map, writes_are_seen_by_loads)
{
	char buf[3 * PAGE_SZ];

	dax_fill(buf, sizeof(buf), PMD_SZ - PAGE_SZ, 3);
	ASSERT_EQ((ssize_t)sizeof(buf), pwrite(self->fd, buf, sizeof(buf), PMD_SZ - PAGE_SZ));
	EXPECT_EQ(-1, dax_mismatch(self->p, PMD_SZ - PAGE_SZ, 0, 0));
	EXPECT_EQ(-1, dax_mismatch(self->p + PMD_SZ - PAGE_SZ, sizeof(buf), PMD_SZ - PAGE_SZ, 3));
}

/* fallocate() leaves unwritten extents: the first store converts them. */
TEST_F(map, unwritten_extents_read_zero_then_hold_data)
{
	int fd = dax_create_hole(PMD_SZ);
	char *p;

	ASSERT_EQ(0, fallocate(fd, 0, 0, PMD_SZ));
	p = dax_map(fd, 0, PMD_SZ, PROT_READ | PROT_WRITE, MAP_SHARED, variant->huge);
	EXPECT_TRUE(dax_all_zero(p, PMD_SZ));
	p[PAGE_SZ] = 1;
	EXPECT_TRUE(dax_all_zero(p, PAGE_SZ));
	EXPECT_TRUE(dax_all_zero(p + PAGE_SZ + 1, PMD_SZ - PAGE_SZ - 1));
	dax_fill(p, PMD_SZ, 0, 4);
	WHEN(dax_huge_extents(fd), ASSERT_LEVEL(variant->huge ? DAX_2M : DAX_4K, p));
	EXPECT_EQ(-1, dax_file_mismatch(fd, 0, PMD_SZ, 4));
}

DAX_TEST_MAIN
