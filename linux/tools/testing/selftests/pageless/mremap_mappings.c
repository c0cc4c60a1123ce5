// SPDX-License-Identifier: GPL-2.0
/*
 * mremap() moves, grows and shrinks DAX mappings, 2 MiB entries included, and
 * the data stays where it was in the file.  If an entry is lost or moved to the
 * wrong place, allocators that resize mappings corrupt their files.
 */
#include "dax_fixture.h"

/* Address space to move into, with room around. */
static char *target(struct __test_metadata *_metadata, bool huge)
{
	char *p = mmap(NULL, 4 * MAP_LEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, p);
	p = (char *)(((uintptr_t)p + 2 * PMD_SZ) & ~(PMD_SZ - 1));
	return huge ? p : p + PAGE_SZ;
}

#define MOVE (MREMAP_MAYMOVE | MREMAP_FIXED)

TEST_F(map, move)
{
	char *to = target(_metadata, variant->huge);

	ASSERT_EQ(to, mremap(self->p, MAP_LEN, MAP_LEN, MOVE, to));
	EXPECT_EQ(SIGSEGV, dax_try_load(self->p));
	ASSERT_LEVEL(variant->huge ? DAX_2M : DAX_4K, to);
	EXPECT_EQ(-1, dax_mismatch(to, MAP_LEN, 0, 0));
	dax_fill(to, MAP_LEN, 0, 1);
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 1));
}

/* 2 MiB entries do not fit there, nor must they stay behind. */
TEST_F(map, move_to_the_other_alignment)
{
	char *to = target(_metadata, !variant->huge);

	ASSERT_EQ(to, mremap(self->p, MAP_LEN, MAP_LEN, MOVE, to));
	EXPECT_EQ(SIGSEGV, dax_try_load(self->p));
	EXPECT_EQ(-1, dax_mismatch(to, MAP_LEN, 0, 0));
	dax_fill(to, MAP_LEN, 0, 2);
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 2));
}

/* Pages from the middle of one chunk to the middle of the next. */
TEST_F(map, move_a_part)
{
	size_t off = PMD_SZ / 2, len = PMD_SZ;
	char *to = target(_metadata, variant->huge) + off;

	ASSERT_EQ(to, mremap(self->p + off, len, len, MOVE, to));
	EXPECT_EQ(-1, dax_mismatch(to, len, off, 0));
	EXPECT_EQ(SIGSEGV, dax_try_load(self->p + off));
	EXPECT_EQ(SIGSEGV, dax_try_load(self->p + off + len - 1));
	EXPECT_EQ(-1, dax_mismatch(self->p, off, 0, 0));
	EXPECT_EQ(-1, dax_mismatch(self->p + off + len, MAP_LEN - off - len, off + len, 0));
	dax_fill(to, len, off, 3);
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, off, len, 3));
}

TEST_F(map, grow)
{
	char *p;

	ASSERT_EQ(0, munmap(self->p + PMD_SZ, 2 * PMD_SZ));
	p = mremap(self->p, PMD_SZ, MAP_LEN, MREMAP_MAYMOVE);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(-1, dax_mismatch(p, MAP_LEN, 0, 0));
	dax_fill(p, MAP_LEN, 0, 4);
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 4));
}

TEST_F(map, shrink_inside_a_chunk)
{
	size_t len = PMD_SZ + PAGE_SZ;

	ASSERT_EQ(self->p, mremap(self->p, MAP_LEN, len, 0));
	EXPECT_EQ(SIGSEGV, dax_try_load(self->p + len));
	EXPECT_EQ(-1, dax_mismatch(self->p, len, 0, 0));
	dax_fill(self->p, len, 0, 5);
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, len, 5));
}

/* An old size of 0 duplicates a shared mapping. */
TEST_F(map, duplicate)
{
	char *to = target(_metadata, variant->huge);

	ASSERT_EQ(to, mremap(self->p, 0, MAP_LEN, MOVE, to));
	dax_fill(to, MAP_LEN, 0, 6);
	EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 6));
}

#ifdef MREMAP_DONTUNMAP
TEST_F(map, move_and_leave_the_mapping)
{
	char *to = target(_metadata, variant->huge);

	ASSERT_EQ(to, mremap(self->p, MAP_LEN, MAP_LEN, MOVE | MREMAP_DONTUNMAP, to));
	EXPECT_EQ(-1, dax_mismatch(to, MAP_LEN, 0, 0));
	EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 0));
	dax_fill(self->p, MAP_LEN, 0, 7);
	EXPECT_EQ(-1, dax_mismatch(to, MAP_LEN, 0, 7));
}
#endif

DAX_TEST_MAIN
