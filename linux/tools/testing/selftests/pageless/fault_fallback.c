// SPDX-License-Identifier: GPL-2.0
/*
 * Where a 2 MiB entry does not fit -- the mapping, the file or its extents are
 * too small or out of line -- the fault falls back to 4 KiB and maps the same
 * data.  If it did not, neighbouring data would be mapped, or SIGBUS raised.
 */
#include "dax_fixture.h"

static char *map_rw(int fd, off_t off, size_t len)
{
	return dax_map(fd, off, len, PROT_READ | PROT_WRITE, MAP_SHARED, true);
}

TEST(mapping_smaller_than_2m)
{
	int fd = dax_create(PMD_SZ);
	char *p = map_rw(fd, 0, PMD_SZ / 2);

	dax_populate(p, PMD_SZ / 2);
	ASSERT_LEVEL(DAX_4K, p);
	EXPECT_EQ(-1, dax_mismatch(p, PMD_SZ / 2, 0, 0));
}

TEST(mapping_starts_inside_a_chunk)
{
	int fd = dax_create(2 * PMD_SZ);
	char *p = map_rw(fd, PMD_SZ / 2, PMD_SZ + PMD_SZ / 2);

	dax_touch(p, PMD_SZ + PMD_SZ / 2, false);
	ASSERT_LEVEL(DAX_4K, p);
	WHEN(dax_huge_extents(fd), ASSERT_LEVEL(DAX_2M, p + PMD_SZ / 2));
	EXPECT_EQ(-1, dax_mismatch(p, PMD_SZ + PMD_SZ / 2, PMD_SZ / 2, 0));
}

TEST(file_ends_inside_a_chunk)
{
	size_t size = PMD_SZ + 5 * PAGE_SZ;
	int fd = dax_create(size);
	char *p = map_rw(fd, 0, 2 * PMD_SZ);

	EXPECT_EQ(-1, dax_mismatch(p, size, 0, 0));
	ASSERT_LEVEL(DAX_4K, p + PMD_SZ);
	EXPECT_EQ(0, dax_try_store(p + size - 1, 1));
	EXPECT_EQ(SIGBUS, dax_try_load(p + size));
	EXPECT_EQ(SIGBUS, dax_try_store(p + 2 * PMD_SZ - 1, 1));
}

/* Two files growing in turns get short, unaligned extents. */
TEST(extents_out_of_line)
{
	int fd[2] = { dax_tmpfile(dax.dir), dax_tmpfile(dax.dir) };
	uint64_t buf[3 * PAGE_SZ / 8];
	char *p;

	for (size_t off = 0; off < PMD_SZ; off += sizeof(buf)) {
		for (int i = 0; i < 2; i++) {
			dax_fill(buf, sizeof(buf), off, i);
			ASSERT_EQ((ssize_t)sizeof(buf), pwrite(fd[i], buf, sizeof(buf), off));
			ASSERT_EQ(0, fsync(fd[i]));
		}
	}
	if (dax.check && dax_huge_extents(fd[0]))
		SKIP(return, "the filesystem made one extent of it");
	for (int i = 0; i < 2; i++) {
		p = map_rw(fd[i], 0, PMD_SZ);
		EXPECT_EQ(-1, dax_mismatch(p, PMD_SZ, 0, i));
		dax_fill(p, PMD_SZ, 0, i + 10);
		ASSERT_LEVEL(DAX_4K, p);
	}
	EXPECT_EQ(-1, dax_file_mismatch(fd[0], 0, PMD_SZ, 10));
	EXPECT_EQ(-1, dax_file_mismatch(fd[1], 0, PMD_SZ, 11));
}

/* One process may map by 2 MiB what another maps by 4 KiB. */
TEST(both_levels_of_one_file)
{
	int fd = dax_create(PMD_SZ);
	char *huge = map_rw(fd, 0, PMD_SZ);
	char *small = dax_map(fd, 0, PMD_SZ, PROT_READ | PROT_WRITE, MAP_SHARED, false);

	dax_populate(huge, PMD_SZ);
	dax_fill(small, PMD_SZ, 0, 5);
	WHEN(dax_huge_extents(fd), ASSERT_LEVEL(DAX_2M, huge));
	ASSERT_LEVEL(DAX_4K, small);
	EXPECT_EQ(-1, dax_mismatch(huge, PMD_SZ, 0, 5));
	dax_fill(huge, PMD_SZ, 0, 6);
	EXPECT_EQ(-1, dax_mismatch(small, PMD_SZ, 0, 6));
}

DAX_TEST_MAIN
