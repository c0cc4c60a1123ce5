// SPDX-License-Identifier: GPL-2.0
/*
 * FICLONERANGE and FIDEDUPERANGE replace a range of a mapped DAX file, and
 * every mapping sees the new blocks; deduplication compares the bytes first.
 * A stale entry would write to blocks that now belong to someone else.
 */
#include "dax_fixture.h"

struct dedupe {
	struct file_dedupe_range range;
	struct file_dedupe_range_info info;
};

static int clone_range(int to, size_t to_off, int from, size_t from_off, size_t len)
{
	struct file_clone_range r = {
		.src_fd = from,
		.src_offset = from_off,
		.src_length = len,
		.dest_offset = to_off,
	};

	return ERRNO_OF(ioctl(to, FICLONERANGE, &r));
}

/* The status of the ioctl's only range; its bytes in @len. */
static int dedupe(int to, int from, size_t off, size_t *len)
{
	struct dedupe d = {
		.range = { .src_offset = off, .src_length = *len, .dest_count = 1 },
		.info = { .dest_fd = to, .dest_offset = off },
	};

	if (ioctl(from, FIDEDUPERANGE, &d))
		return -errno;
	*len = d.info.bytes_deduped;
	return d.info.status;
}

TEST_F(map, clone_of_a_range_under_a_mapping)
{
	static const size_t lengths[] = { PAGE_SZ, PMD_SZ };
	int from = dax_create(2 * PMD_SZ);

	if (clone_range(dax_create_hole(0), 0, from, 0, PAGE_SZ) == EOPNOTSUPP)
		SKIP(return, "filesystem without reflink");
	for (int i = 0; i < 2; i++) {
		size_t at = PMD_SZ, end = at + lengths[i];

		ASSERT_EQ(0, clone_range(self->fd, at, from, 0, lengths[i]));
		EXPECT_EQ(-1, dax_mismatch(self->p + at, lengths[i], 0, 0));
		EXPECT_EQ(-1, dax_mismatch(self->p, at, 0, 0));
		EXPECT_EQ(-1, dax_mismatch(self->p + end, MAP_LEN - end, end, 0));
		/* Now a store has to break the sharing. */
		dax_fill(self->p + at, lengths[i], at, 0);
		EXPECT_EQ(-1, dax_file_mismatch(from, 0, 2 * PMD_SZ, 0));
		EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 0));
	}
}

TEST_F(map, clone_within_a_file)
{
	int ret = clone_range(self->fd, 2 * PMD_SZ, self->fd, 0, PMD_SZ);

	if (ret == EOPNOTSUPP)
		SKIP(return, "filesystem without reflink");
	ASSERT_EQ(0, ret);
	EXPECT_EQ(-1, dax_mismatch(self->p + 2 * PMD_SZ, PMD_SZ, 0, 0));
	dax_fill(self->p + 2 * PMD_SZ, PMD_SZ, 0, 1);
	EXPECT_EQ(-1, dax_mismatch(self->p, 2 * PMD_SZ, 0, 0));
	EXPECT_EQ(-1, dax_mismatch(self->p + 2 * PMD_SZ, PMD_SZ, 0, 1));
}

TEST_F(map, dedupe_of_equal_files)
{
	int other = dax_create(MAP_LEN);
	size_t len = MAP_LEN;
	int status = dedupe(other, self->fd, 0, &len);

	if (status == -EOPNOTSUPP)
		SKIP(return, "filesystem without reflink");
	ASSERT_EQ(FILE_DEDUPE_RANGE_SAME, status);
	EXPECT_LT(0UL, len);
	dax_fill(self->p, MAP_LEN, 0, 2);
	EXPECT_EQ(-1, dax_file_mismatch(other, 0, MAP_LEN, 0));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 2));
}

TEST_F(map, dedupe_of_different_files)
{
	int other = dax_create(MAP_LEN);
	size_t len = PMD_SZ;
	int status;

	/* One byte, through the mapping, not yet flushed. */
	self->p[PMD_SZ - 1] ^= 1;
	status = dedupe(other, self->fd, 0, &len);
	if (status == -EOPNOTSUPP)
		SKIP(return, "filesystem without reflink");
	EXPECT_EQ(FILE_DEDUPE_RANGE_DIFFERS, status);
	EXPECT_EQ(-1, dax_file_mismatch(other, 0, MAP_LEN, 0));
}

DAX_TEST_MAIN
