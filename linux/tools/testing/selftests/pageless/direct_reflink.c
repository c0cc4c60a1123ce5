// SPDX-License-Identifier: GPL-2.0
/*
 * Direct I/O with a mapping of blocks that two files share: a write is done from
 * them as they are, a read copies them first.  The clone never changes.
 */
#include "direct_fixture.h"

/* Not the harness's time: to spin is how this fails. */
TEST_F_TIMEOUT(direct, blocks_shared_with_a_clone, 20)
{
	struct transfer t = { .write = true, .nr = 1, .part = { { PMD_SZ / 2, PMD_SZ } } };
	int clone = dax_create_hole(0);

	if (ioctl(clone, FICLONE, self->fd) < 0 && errno == EOPNOTSUPP)
		SKIP(return, "filesystem without reflink");
	ASSERT_EQ(0, ioctl(clone, FICLONE, self->fd));
	/* Map the shared blocks before the I/O does. */
	EXPECT_TRUE(same_bytes(self, 0, MAP_LEN));
	expect_all(_metadata, self, &t);
	t.write = false;
	t.off = 2 * PMD_SZ;
	expect_all(_metadata, self, &t);
	EXPECT_EQ(-1, dax_file_mismatch(clone, 0, MAP_LEN, 0));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, PMD_SZ / 2, 0));
}

DAX_TEST_MAIN
