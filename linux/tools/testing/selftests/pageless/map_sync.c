// SPDX-License-Identifier: GPL-2.0
/*
 * MAP_SYNC gives stores that are durable once flushed from the CPU, with no
 * system call; where that cannot be promised, mmap() must refuse.  If it is
 * granted wrongly, acknowledged transactions are lost at power failure.
 */
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "dax_fixture.h"

#define MAP_SYNC_FLAGS (MAP_SHARED_VALIDATE | MAP_SYNC)

/* virtio-pmem is flushed by a request to the host: no MAP_SYNC there. */
static bool flushed_by_request(int fd)
{
	char link[64], path[4096];
	struct stat st;
	ssize_t len;

	if (fstat(fd, &st))
		dax_die("fstat");
	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(st.st_dev), minor(st.st_dev));
	len = readlink(link, path, sizeof(path) - 1);
	path[len < 0 ? 0 : len] = 0;
	return strstr(path, "/virtio");
}

static int map_sync_errno(int fd)
{
	void *p = mmap(NULL, PAGE_SZ, PROT_READ | PROT_WRITE, MAP_SYNC_FLAGS, fd, 0);

	if (p == MAP_FAILED)
		return errno;
	munmap(p, PAGE_SZ);
	return 0;
}

TEST_F(map, stores_reach_the_file)
{
	char *p;

	if (!dax.check || flushed_by_request(self->fd)) {
		ASSERT_EQ(EOPNOTSUPP, map_sync_errno(self->fd));
		SKIP(return, "no synchronous DAX here; mmap refused it as it must");
	}
	p = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SYNC_FLAGS, variant->huge);
	dax_fill(p, MAP_LEN, 0, 1);
	dax_flush(p, MAP_LEN);
	ASSERT_LEVEL(variant->huge ? DAX_2M : DAX_4K, p);
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 1));
	EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 1));
}

/* The fault must commit the allocation before it lets the store go on. */
TEST_F(map, faults_allocate_holes)
{
	int fd = dax_create_hole(PMD_SZ);
	char *p;

	if (map_sync_errno(fd) && (!dax.check || flushed_by_request(fd)))
		SKIP(return, "no synchronous DAX here");
	p = dax_map(fd, 0, PMD_SZ, PROT_READ | PROT_WRITE, MAP_SYNC_FLAGS, variant->huge);
	EXPECT_EQ(0, dax_try_load(p + PAGE_SZ));
	dax_fill(p, PMD_SZ, 0, 2);
	dax_flush(p, PMD_SZ);
	EXPECT_EQ(-1, dax_file_mismatch(fd, 0, PMD_SZ, 2));
	ASSERT_EQ(0, fsync(fd));
	EXPECT_EQ(-1, dax_mismatch(p, PMD_SZ, 0, 2));
}

TEST(refused_without_dax)
{
	int fd = memfd_create("not-dax", 0);

	ASSERT_EQ(0, ftruncate(fd, PAGE_SZ));
	EXPECT_EQ(EOPNOTSUPP, map_sync_errno(fd));
	WHEN(dax.other, EXPECT_EQ(EOPNOTSUPP, map_sync_errno(open(dax.other, O_RDWR))));
}

DAX_TEST_MAIN
