// SPDX-License-Identifier: GPL-2.0
/*
 * mlock() and mlockall() accept DAX mappings and fault them in; DAX memory is
 * never reclaimed.  If they failed or looked for pages to lock, real-time
 * programs that lock everything could not map a DAX file.
 */
#include "dax_fixture.h"

TEST_F(map, mlock_faults_in)
{
	char *q = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
			  variant->huge);

	ASSERT_EQ(0, mlock(q, MAP_LEN));
	EXPECT_TRUE(dax_all_present(q, MAP_LEN));
	ASSERT_LEVEL(variant->huge ? DAX_2M : DAX_4K, q);
	dax_fill(q, MAP_LEN, 0, 1);
	ASSERT_EQ(0, munlock(q, MAP_LEN));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 1));
}

TEST_F(map, mlock_of_part_of_a_chunk)
{
	char *part = self->p + PMD_SZ / 2;

	ASSERT_EQ(0, mlock(part, PMD_SZ));
	ASSERT_EQ(0, munlock(part + PAGE_SZ, PAGE_SZ));
	ASSERT_EQ(0, munlock(part, PMD_SZ));
	EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 0));
}

TEST_F(map, mlock_on_fault)
{
	ASSERT_EQ(0, mlock2(self->p, MAP_LEN, MLOCK_ONFAULT));
	EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 0));
	ASSERT_EQ(0, munlock(self->p, MAP_LEN));
}

TEST_F(map, mlock_of_private_copies)
{
	char *q = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE,
			  variant->huge);

	dax_fill(q, PAGE_SZ, 0, 2);
	ASSERT_EQ(0, mlock(q, MAP_LEN));
	EXPECT_EQ(-1, dax_mismatch(q, PAGE_SZ, 0, 2));
	EXPECT_EQ(-1, dax_mismatch(q + PAGE_SZ, MAP_LEN - PAGE_SZ, PAGE_SZ, 0));
	ASSERT_EQ(0, munlock(q, MAP_LEN));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 0));
}

TEST_F(map, mlockall_now_and_later)
{
	char *q;

	ASSERT_EQ(0, mlockall(MCL_CURRENT | MCL_FUTURE));
	q = mmap(NULL, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, q);
	EXPECT_TRUE(dax_all_present(self->p, MAP_LEN));
	EXPECT_TRUE(dax_all_present(q, MAP_LEN));
	dax_fill(q, MAP_LEN, 0, 3);
	EXPECT_EQ(0, munmap(q, PMD_SZ + PAGE_SZ));
	ASSERT_EQ(0, munlockall());
	EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 3));
}

DAX_TEST_MAIN
