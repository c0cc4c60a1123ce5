// SPDX-License-Identifier: GPL-2.0
/*
 * munmap() of a part of a DAX mapping, down to one page of a 2 MiB entry,
 * takes that part away and nothing else.  If the neighbours went too or the
 * part stayed, the address space would hold memory that it should not.
 */
#include "dax_fixture.h"

static void expect_gap(struct __test_metadata *_metadata, char *p, int fd, size_t off, size_t len)
{
	size_t end = off + len;

	EXPECT_EQ(SIGSEGV, dax_try_load(p + off));
	EXPECT_EQ(SIGSEGV, dax_try_load(p + end - 1));
	EXPECT_EQ(-1, dax_mismatch(p, off, 0, 0));
	EXPECT_EQ(-1, dax_mismatch(p + end, MAP_LEN - end, end, 0));
	dax_fill(p, off, 0, 1);
	dax_fill(p + end, MAP_LEN - end, end, 1);
	EXPECT_EQ(-1, dax_file_mismatch(fd, 0, off, 1));
	EXPECT_EQ(-1, dax_file_mismatch(fd, off, len, 0));
	EXPECT_EQ(-1, dax_file_mismatch(fd, end, MAP_LEN - end, 1));
}

TEST_F(map, one_page_of_a_chunk)
{
	size_t off = PMD_SZ + 9 * PAGE_SZ;

	ASSERT_EQ(0, munmap(self->p + off, PAGE_SZ));
	expect_gap(_metadata, self->p, self->fd, off, PAGE_SZ);
}

TEST_F(map, across_two_chunks)
{
	size_t off = PMD_SZ / 2;

	ASSERT_EQ(0, munmap(self->p + off, PMD_SZ));
	expect_gap(_metadata, self->p, self->fd, off, PMD_SZ);
}

TEST_F(map, one_whole_chunk)
{
	ASSERT_EQ(0, munmap(self->p + PMD_SZ, PMD_SZ));
	expect_gap(_metadata, self->p, self->fd, PMD_SZ, PMD_SZ);
}

TEST_F(map, anonymous_memory_in_the_gap)
{
	char *gap = self->p + PMD_SZ + PAGE_SZ;

	ASSERT_EQ(gap, mmap(gap, PAGE_SZ, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	EXPECT_TRUE(dax_all_zero(gap, PAGE_SZ));
	dax_fill(gap, PAGE_SZ, 0, 2);
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 0));
	EXPECT_EQ(-1, dax_mismatch(gap + PAGE_SZ, PAGE_SZ, PMD_SZ + 2 * PAGE_SZ, 0));
}

TEST_F(map, mapped_again)
{
	char *q;

	ASSERT_EQ(0, munmap(self->p, MAP_LEN));
	q = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, variant->huge);
	EXPECT_EQ(-1, dax_mismatch(q, MAP_LEN, 0, 0));
	ASSERT_LEVEL(variant->huge ? DAX_2M : DAX_4K, q);
}

DAX_TEST_MAIN
