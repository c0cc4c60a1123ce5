// SPDX-License-Identifier: GPL-2.0
/*
 * Writing to /proc/PID/clear_refs walks DAX mappings without looking for their
 * pages, and soft-dirty tracking notices the next store.  Live migration of
 * containers (CRIU) would otherwise oops the host, or lose stores.
 */
#include "dax_fixture.h"

static bool soft_dirty(const char *p)
{
	return dax_pagemap(p) & PM_SOFT_DIRTY;
}

TEST_F(map, every_kind_keeps_the_data)
{
	static const char * const kind[] = { "1", "2", "3", "4", "5" };

	for (unsigned int i = 0; i < ARRAY_SIZE(kind); i++) {
		ASSERT_EQ(0, dax_write_path("/proc/self/clear_refs", kind[i]))
			TH_LOG("clear_refs %s: %s", kind[i], strerror(errno));
		EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, i));
		dax_fill(self->p, MAP_LEN, 0, i + 1);
		EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, i + 1));
	}
}

TEST_F(map, store_after_clear_is_soft_dirty)
{
	char *p = self->p + PMD_SZ + PAGE_SZ;
	char *anon = dax_anonymous(PAGE_SZ, MAP_PRIVATE);

	*anon = 1;
	if (!soft_dirty(anon))
		SKIP(return, "kernel without CONFIG_MEM_SOFT_DIRTY");
	ASSERT_EQ(0, dax_write_path("/proc/self/clear_refs", "4"));
	EXPECT_FALSE(soft_dirty(p));
	EXPECT_EQ(0, dax_try_load(p));
	EXPECT_FALSE(soft_dirty(p));
	*p = 1;
	EXPECT_TRUE(soft_dirty(p));
	EXPECT_FALSE(soft_dirty(self->p));
}

TEST_F(map, private_copies_keep_their_data)
{
	char *q = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE,
			  variant->huge);

	ASSERT_EQ(0, dax_try_load(q + PMD_SZ));
	dax_fill(q, PAGE_SZ, 0, 7);
	ASSERT_EQ(0, dax_write_path("/proc/self/clear_refs", "4"));
	dax_fill(q + PAGE_SZ, PAGE_SZ, PAGE_SZ, 7);
	EXPECT_EQ(-1, dax_mismatch(q, 2 * PAGE_SZ, 0, 7));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 0));
}

DAX_TEST_MAIN
