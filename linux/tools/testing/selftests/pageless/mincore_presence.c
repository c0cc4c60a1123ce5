// SPDX-License-Identifier: GPL-2.0
/*
 * mincore() says that faulted-in DAX memory is there, page by page, at both
 * levels.  A wrong answer, or an oops in search of the page, hits whoever asks
 * before prefetching.
 */
#include "dax_fixture.h"

#define PAGES ((long)(MAP_LEN / PAGE_SZ))

static long pages_in_core(struct __test_metadata *_metadata, char *p)
{
	unsigned char vec[PAGES];
	long n = 0;

	ASSERT_EQ(0, mincore(p, MAP_LEN, vec));
	for (long i = 0; i < PAGES; i++)
		n += vec[i] & 1;
	return n;
}

TEST_F(map, faulted_pages_are_in_core)
{
	EXPECT_EQ(PAGES, pages_in_core(_metadata, self->p));
}

TEST_F(map, part_of_a_chunk)
{
	unsigned char vec[8] = { 0 };

	ASSERT_EQ(0, mincore(self->p + PMD_SZ - 4 * PAGE_SZ, 8 * PAGE_SZ, vec));
	for (int i = 0; i < 8; i++)
		EXPECT_EQ(1, vec[i] & 1);
}

TEST_F(map, unmapped_entries_are_not)
{
	char *q = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
			  variant->huge);

	if (!dax.check)
		SKIP(return, "the page cache counts as in core");
	EXPECT_EQ(0, pages_in_core(_metadata, q));
	dax_populate(q, PMD_SZ);
	EXPECT_EQ(PAGES / 3, pages_in_core(_metadata, q));
}

DAX_TEST_MAIN
