// SPDX-License-Identifier: GPL-2.0
/*
 * A hole of a DAX file reads as zeros through a mapping without being
 * allocated, and turns into the file's own memory at the first store.  If the
 * zero page stayed behind, a process would never see data written since.
 */
#include <sys/stat.h>
#include "dax_fixture.h"

FIXTURE(hole)
{
	int fd;
	char *p;
};

FIXTURE_VARIANT(hole)
{
	bool huge;
};

FIXTURE_VARIANT_ADD(hole, pte)
{
	.huge = false,
};

FIXTURE_VARIANT_ADD(hole, pmd)
{
	.huge = true,
};

FIXTURE_SETUP(hole)
{
	self->fd = dax_create_hole(2 * PMD_SZ);
	self->p = dax_map(self->fd, 0, 2 * PMD_SZ, PROT_READ | PROT_WRITE, MAP_SHARED,
			  variant->huge);
	ASSERT_TRUE(dax_all_zero(self->p, 2 * PMD_SZ));
	/* The zero page has its huge form. */
	for (size_t off = 0; off < 2 * PMD_SZ; off += PMD_SZ)
		ASSERT_LEVEL(variant->huge ? DAX_2M : DAX_4K, self->p + off);
}

FIXTURE_TEARDOWN(hole)
{
	munmap(self->p, 2 * PMD_SZ);
	close(self->fd);
}

TEST_F(hole, loads_allocate_nothing)
{
	struct stat st;

	if (!dax.check)
		SKIP(return, "page cache, not DAX");
	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_EQ(0, st.st_blocks);
}

TEST_F(hole, store_after_load_reaches_the_file)
{
	char buf[3];

	self->p[PMD_SZ + PAGE_SZ] = 'x';
	ASSERT_EQ(3, pread(self->fd, buf, 3, PMD_SZ + PAGE_SZ - 1));
	EXPECT_EQ(0, memcmp(buf, "\0x\0", 3));
	EXPECT_TRUE(dax_all_zero(self->p, PMD_SZ + PAGE_SZ));
	EXPECT_TRUE(dax_all_zero(self->p + PMD_SZ + PAGE_SZ + 1, PMD_SZ - PAGE_SZ - 1));
}

TEST_F(hole, store_is_seen_by_a_mapping_of_the_hole)
{
	char *q = dax_map(self->fd, 0, 2 * PMD_SZ, PROT_READ | PROT_WRITE, MAP_SHARED,
			  variant->huge);

	EXPECT_TRUE(dax_all_zero(q, PMD_SZ));
	dax_fill(q, PMD_SZ, 0, 1);
	EXPECT_EQ(-1, dax_mismatch(self->p, PMD_SZ, 0, 1));
	EXPECT_TRUE(dax_all_zero(self->p + PMD_SZ, PMD_SZ));
}

TEST_F(hole, write_is_seen_by_a_mapping_of_the_hole)
{
	uint64_t buf[PAGE_SZ / 8];

	dax_fill(buf, PAGE_SZ, PMD_SZ, 2);
	ASSERT_EQ((ssize_t)PAGE_SZ, pwrite(self->fd, buf, PAGE_SZ, PMD_SZ));
	EXPECT_EQ(-1, dax_mismatch(self->p + PMD_SZ, PAGE_SZ, PMD_SZ, 2));
	EXPECT_TRUE(dax_all_zero(self->p, PMD_SZ));
	EXPECT_TRUE(dax_all_zero(self->p + PMD_SZ + PAGE_SZ, PMD_SZ - PAGE_SZ));
}

/* No load first: the store alone allocates, and zeroes around itself. */
TEST_F(hole, store_without_load_zeroes_the_rest)
{
	int fd = dax_create_hole(PMD_SZ);
	char *p = dax_map(fd, 0, PMD_SZ, PROT_READ | PROT_WRITE, MAP_SHARED, variant->huge);

	p[7 * PAGE_SZ] = 1;
	WHEN(variant->huge && dax_huge_extents(fd), ASSERT_LEVEL(DAX_2M, p));
	EXPECT_TRUE(dax_all_zero(p, 7 * PAGE_SZ));
	EXPECT_TRUE(dax_all_zero(p + 7 * PAGE_SZ + 1, PMD_SZ - 7 * PAGE_SZ - 1));
}

/* The zero page must never be written. */
TEST_F(hole, private_store_leaves_the_hole)
{
	char *q = dax_map(self->fd, 0, PMD_SZ, PROT_READ | PROT_WRITE, MAP_PRIVATE,
			  variant->huge);

	ASSERT_EQ(0, dax_try_load(q));
	dax_fill(q, PAGE_SZ, 0, 3);
	EXPECT_EQ(-1, dax_mismatch(q, PAGE_SZ, 0, 3));
	EXPECT_TRUE(dax_all_zero(q + PAGE_SZ, PMD_SZ - PAGE_SZ));
	EXPECT_TRUE(dax_all_zero(self->p, PMD_SZ));
}

DAX_TEST_MAIN
