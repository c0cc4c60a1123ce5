// SPDX-License-Identifier: GPL-2.0
/*
 * msync() and the fsync() family succeed after stores through a mapping, and
 * write-protect it, so that the next store is noticed and flushed by the next
 * sync.  If it were not noticed, that store could be lost at power failure.
 */
#include "dax_fixture.h"

enum how { MSYNC, FSYNC, FDATASYNC, RANGE, SYNCFS, HOWS };

static int sync_by(enum how how, int fd, char *p)
{
	switch (how) {
	case MSYNC:
		return msync(p, MAP_LEN, MS_SYNC);
	case FSYNC:
		return fsync(fd);
	case FDATASYNC:
		return fdatasync(fd);
	case RANGE:
		return sync_file_range(fd, 0, MAP_LEN, SYNC_FILE_RANGE_WRITE_AND_WAIT);
	default:
		return syncfs(fd);
	}
}

/* Faults that one store takes. */
static long faults_of_store(char *p, char value)
{
	long before = dax_faults();

	dax_store(p, value);
	return dax_faults() - before;
}

TEST_F(map, store_after_sync_faults_again)
{
	char *p = self->p + PMD_SZ + 3 * PAGE_SZ;

	if (!dax.check)
		SKIP(return, "page cache may be cleaned by others");
	for (enum how how = 0; how < HOWS; how++) {
		ASSERT_EQ(0, sync_by(how, self->fd, self->p)) TH_LOG("sync %d", how);
		EXPECT_EQ(1, faults_of_store(p, how)) TH_LOG("sync %d", how);
		EXPECT_EQ(0, faults_of_store(p, how + 1)) TH_LOG("sync %d", how);
	}
	ASSERT_LEVEL(variant->huge ? DAX_2M : DAX_4K, p);
}

TEST_F(map, data_survives_each_sync)
{
	for (enum how how = 0; how < HOWS; how++) {
		dax_fill(self->p, MAP_LEN, 0, how + 1);
		ASSERT_EQ(0, sync_by(how, self->fd, self->p)) TH_LOG("sync %d", how);
		EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, how + 1));
		EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, how + 1));
	}
}

/* A sync of a part must leave the rest to a later one, not drop it. */
TEST_F(map, sync_of_a_part)
{
	char *p = self->p + PMD_SZ;

	dax_fill(self->p, MAP_LEN, 0, 1);
	ASSERT_EQ(0, msync(p, PAGE_SZ, MS_SYNC));
	ASSERT_EQ(0, msync(self->p, PAGE_SZ, MS_ASYNC));
	WHEN(dax.check, EXPECT_EQ(1, faults_of_store(p, 9)));
	dax_fill(p, PAGE_SZ, PMD_SZ, 1);
	ASSERT_EQ(0, fsync(self->fd));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 1));
}

/* Each mapping of the file is write-protected, whatever its level. */
TEST_F(map, every_mapping_is_write_protected)
{
	char *q = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, false);

	dax_populate(q, MAP_LEN);
	if (!dax.check)
		SKIP(return, "page cache may be cleaned by others");
	ASSERT_EQ(0, fsync(self->fd));
	EXPECT_EQ(1, faults_of_store(self->p, 1));
	EXPECT_EQ(1, faults_of_store(q, 2));
	EXPECT_EQ(2, self->p[0]);
}

DAX_TEST_MAIN
