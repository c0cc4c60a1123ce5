// SPDX-License-Identifier: GPL-2.0
/*
 * Collapsing a range of a mapped DAX file, or inserting one, moves the data
 * behind it, and every mapping sees it at its new offset.  A stale entry would
 * show, and change, the wrong part of the file.
 */
#include <linux/falloc.h>
#include "dax_fixture.h"

static const size_t lengths[] = { PAGE_SZ, 3 * PAGE_SZ, PMD_SZ };

static bool unsupported(int fd, int mode)
{
	return ERRNO_OF(fallocate(fd, mode, 0, PAGE_SZ)) == EOPNOTSUPP;
}

/* The file holds @len bytes of pattern 0 from @from on, at @at. */
static void expect_at(struct __test_metadata *_metadata, char *p, int fd, size_t at, size_t len,
		      size_t from)
{
	char *buf = malloc(len);

	EXPECT_EQ(-1, dax_mismatch(p + at, len, from, 0));
	ASSERT_EQ((ssize_t)len, pread(fd, buf, len, at));
	EXPECT_EQ(-1, dax_mismatch(buf, len, from, 0));
	free(buf);
}

TEST_F(map, collapse)
{
	int probe = dax_create(2 * PMD_SZ);

	if (unsupported(probe, FALLOC_FL_COLLAPSE_RANGE))
		SKIP(return, "filesystem without FALLOC_FL_COLLAPSE_RANGE");
	for (unsigned int i = 0; i < ARRAY_SIZE(lengths); i++) {
		size_t at = PMD_SZ / 2, len = lengths[i];
		int fd = dax_create(MAP_LEN);
		char *p = dax_map(fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, variant->huge);

		dax_populate(p, MAP_LEN);
		ASSERT_EQ(0, fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, at, len));
		expect_at(_metadata, p, fd, 0, at, 0);
		expect_at(_metadata, p, fd, at, MAP_LEN - at - len, at + len);
		EXPECT_EQ(SIGBUS, dax_try_load(p + MAP_LEN - len));
		munmap(p, MAP_LEN);
		close(fd);
	}
}

TEST_F(map, insert)
{
	int probe = dax_create(2 * PMD_SZ);

	if (unsupported(probe, FALLOC_FL_INSERT_RANGE))
		SKIP(return, "filesystem without FALLOC_FL_INSERT_RANGE");
	for (unsigned int i = 0; i < ARRAY_SIZE(lengths); i++) {
		size_t at = PMD_SZ / 2, len = lengths[i], size = MAP_LEN + len;
		int fd = dax_create(MAP_LEN);
		char *p = dax_map(fd, 0, size, PROT_READ | PROT_WRITE, MAP_SHARED, variant->huge);

		dax_populate(p, MAP_LEN);
		ASSERT_EQ(0, fallocate(fd, FALLOC_FL_INSERT_RANGE, at, len));
		expect_at(_metadata, p, fd, 0, at, 0);
		EXPECT_TRUE(dax_all_zero(p + at, len));
		expect_at(_metadata, p, fd, at + len, MAP_LEN - at, at);
		munmap(p, size);
		close(fd);
	}
}

/* Stores after the shift land at the new offsets. */
TEST_F(map, stores_after_a_shift)
{
	size_t at = PMD_SZ;

	if (unsupported(self->fd, FALLOC_FL_COLLAPSE_RANGE))
		SKIP(return, "filesystem without FALLOC_FL_COLLAPSE_RANGE");
	dax_fill(self->p + at, PMD_SZ, at, 1);
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, at, PMD_SZ, 1));
	ASSERT_EQ(0, fsync(self->fd));
	EXPECT_EQ(-1, dax_mismatch(self->p, at, PAGE_SZ, 0));
}

DAX_TEST_MAIN
