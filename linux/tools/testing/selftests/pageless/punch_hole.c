// SPDX-License-Identifier: GPL-2.0
/*
 * Punching a hole into a mapped DAX file, or zeroing a range of it, shows zeros
 * in exactly that range of every mapping.  If a mapping kept the freed memory,
 * it would change another file; if too much went, data would be lost.
 */
#include <linux/falloc.h>
#include "dax_fixture.h"

struct span {
	size_t off;
	size_t len;
};

/* One page, odd bytes, across chunks, a whole chunk. */
static const struct span spans[] = {
	{ PMD_SZ + 9 * PAGE_SZ, PAGE_SZ },
	{ 5 * PAGE_SZ + 104, 2 * PAGE_SZ + 16 },
	{ PMD_SZ - 3 * PAGE_SZ, 7 * PAGE_SZ },
	{ PMD_SZ, PMD_SZ },
};

static void expect_zeros(struct __test_metadata *_metadata, char *p, int fd, struct span s)
{
	size_t end = s.off + s.len;

	EXPECT_TRUE(dax_all_zero(p + s.off, s.len));
	EXPECT_EQ(-1, dax_mismatch(p, s.off, 0, 0));
	EXPECT_EQ(-1, dax_mismatch(p + end, MAP_LEN - end, end, 0));
	EXPECT_EQ(-1, dax_file_mismatch(fd, 0, s.off, 0));
	EXPECT_EQ(-1, dax_file_mismatch(fd, end, MAP_LEN - end, 0));
}

static void zero_spans(struct __test_metadata *_metadata, int fd, char *p, int mode)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(spans); i++) {
		struct span s = spans[i];

		ASSERT_EQ(0, fallocate(fd, mode, s.off, s.len));
		expect_zeros(_metadata, p, fd, s);
		dax_fill(p + s.off, s.len, s.off, 0);
		EXPECT_EQ(-1, dax_file_mismatch(fd, 0, MAP_LEN, 0));
	}
}

TEST_F(map, hole_reads_zero_and_can_be_filled)
{
	zero_spans(_metadata, self->fd, self->p, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
}

TEST_F(map, zeroed_range_reads_zero_and_can_be_filled)
{
	if (ERRNO_OF(fallocate(self->fd, FALLOC_FL_ZERO_RANGE, MAP_LEN - 8, 8)) == EOPNOTSUPP)
		SKIP(return, "filesystem without FALLOC_FL_ZERO_RANGE");
	dax_fill(self->p + MAP_LEN - 8, 8, MAP_LEN - 8, 0);
	zero_spans(_metadata, self->fd, self->p, FALLOC_FL_ZERO_RANGE);
}

TEST_F(map, hole_is_seen_by_every_mapping)
{
	struct span s = spans[0];
	char *q = dax_map(self->fd, 0, MAP_LEN, PROT_READ, MAP_SHARED, !variant->huge);
	char *r = dax_map(self->fd, 0, MAP_LEN, PROT_READ, MAP_PRIVATE, variant->huge);

	EXPECT_EQ(-1, dax_mismatch(q, MAP_LEN, 0, 0));
	EXPECT_EQ(-1, dax_mismatch(r, MAP_LEN, 0, 0));
	ASSERT_EQ(0, fallocate(self->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, s.off, s.len));
	expect_zeros(_metadata, q, self->fd, s);
	expect_zeros(_metadata, r, self->fd, s);
}

/* Private copies stay: they are not the file's. */
TEST_F(map, private_copies_survive_a_hole)
{
	char *q = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE,
			  variant->huge);

	dax_fill(q + PMD_SZ, PAGE_SZ, PMD_SZ, 1);
	ASSERT_EQ(0, fallocate(self->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PMD_SZ, PMD_SZ));
	EXPECT_EQ(-1, dax_mismatch(q + PMD_SZ, PAGE_SZ, PMD_SZ, 1));
	EXPECT_TRUE(dax_all_zero(q + PMD_SZ + PAGE_SZ, PMD_SZ - PAGE_SZ));
	EXPECT_EQ(-1, dax_mismatch(q, PMD_SZ, 0, 0));
}

TEST_F(map, punched_blocks_are_not_reachable)
{
	int fd;
	char *q;

	ASSERT_EQ(0, fallocate(self->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, MAP_LEN));
	fd = dax_create(MAP_LEN);
	q = dax_map(fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, variant->huge);
	EXPECT_TRUE(dax_all_zero(self->p, MAP_LEN));
	memset(self->p, 'x', MAP_LEN);
	EXPECT_EQ(-1, dax_mismatch(q, MAP_LEN, 0, 0));
}

DAX_TEST_MAIN
