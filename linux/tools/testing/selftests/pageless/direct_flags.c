// SPDX-License-Identifier: GPL-2.0
/*
 * The flags of preadv2() and pwritev2() mean the same with a DAX mapping as the
 * buffer: RWF_NOWAIT, RWF_HIPRI, RWF_DSYNC, RWF_SYNC, and ones that are refused.
 */
#include "direct_fixture.h"

#define LEN (64 * PAGE_SZ)

static void with_flags(struct __test_metadata *_metadata, struct _test_data_direct *self, int flags)
{
	struct transfer t = {
		.flags = flags,
		.nr = 2,
		.part = { { PMD_SZ - LEN / 2, LEN }, { 2 * PMD_SZ, LEN / 2 } },
	};

	for (int write = 0; write < 2; write++) {
		t.write = write;
		t.off = write * LEN;
		expect_all(_metadata, self, &t);
	}
}

TEST_F(direct, polled)
{
	with_flags(_metadata, self, RWF_HIPRI);
}

TEST_F(direct, synchronous)
{
	with_flags(_metadata, self, RWF_DSYNC);
	with_flags(_metadata, self, RWF_SYNC);
	with_flags(_metadata, self, RWF_DSYNC | RWF_HIPRI);
}

TEST_F(direct, unknown)
{
	struct transfer t = { .flags = 1 << 30, .nr = 1, .part = { { PMD_SZ - LEN / 2, LEN } } };

	for (int write = 0; write < 2; write++) {
		t.write = write;
		EXPECT_EQ(-EOPNOTSUPP, expect_same_result(_metadata, self, &t));
		ASSERT_TRUE(same_bytes(self, 0, MAP_LEN));
	}
}

/* A device may be short of requests for a moment. */
static ssize_t try_often(const struct transfer *t, int fd, char *base)
{
	ssize_t ret = -EAGAIN;

	for (int i = 0; i < 100 && ret == -EAGAIN; i++)
		ret = make_transfer(t, fd, base);
	return ret;
}

TEST_F(direct, nowait)
{
	/* In one request: what has to be split is refused. */
	const size_t len = 16 * PAGE_SZ;
	struct transfer t = { .flags = RWF_NOWAIT, .nr = 1, .part = { { PMD_SZ - len / 2, len } } };
	ssize_t got;

	for (int write = 0; write < 2; write++) {
		t.write = write;
		t.off = len;
		got = try_often(&t, self->other, self->p);
		if (write && got > 0) {
			read_other(self->other, self->back, len, len);
			EXPECT_TRUE(written_as_shadow(&t, self->back, self->shadow, got));
		}
		EXPECT_EQ(try_often(&t, self->other, self->shadow), got);
		/* File systems may refuse it, or need a lock that is taken. */
		WHEN(is_block_device(self->other), EXPECT_EQ((ssize_t)len, got));
		ASSERT_TRUE(same_bytes(self, 0, MAP_LEN));
	}
}

DAX_TEST_MAIN
