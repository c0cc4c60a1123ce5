// SPDX-License-Identifier: GPL-2.0
/*
 * A 9p file opened with O_DIRECT: the transport hands pages of the caller's buffer
 * to the host.  With a DAX mapping the data is right or the call gives EFAULT.
 * The program's own file is one in a guest whose root is on 9p, as the lab's is;
 * one to write is on the lab's share.
 */
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include "dax_fixture.h"

#define V9FS_MAGIC	0x01021997
#define OVERLAY_MAGIC	0x794c7630

#define LEN (4 * PAGE_SZ)
/* Across the edge of a chunk. */
#define AT (PMD_SZ - LEN / 2)

TEST_F(map, direct_read)
{
	char plain[LEN];
	int cached = open("/proc/self/exe", O_RDONLY), fd;
	ssize_t ret;

	ASSERT_LE(0, cached);
	if (dax_fs_magic(cached) != V9FS_MAGIC && dax_fs_magic(cached) != OVERLAY_MAGIC)
		SKIP(return, "this program is not on 9p");
	fd = open("/proc/self/exe", O_RDONLY | O_DIRECT);
	if (fd < 0)
		SKIP(return, "no O_DIRECT: %s", strerror(errno));
	ASSERT_EQ((ssize_t)LEN, pread(cached, plain, LEN, 0));
	ret = pread(fd, self->p + AT, LEN, 0);
	if (ret < 0) {
		EXPECT_EQ(dax.gup_errno, errno);
		EXPECT_EQ(EFAULT, dax.gup_errno);
		EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 0));
	} else {
		ASSERT_EQ((ssize_t)LEN, ret);
		EXPECT_EQ(0, memcmp(self->p + AT, plain, LEN));
		EXPECT_EQ(-1, dax_mismatch(self->p, AT, 0, 0));
		EXPECT_EQ(-1, dax_mismatch(self->p + AT + LEN, MAP_LEN - AT - LEN, AT + LEN, 0));
	}
}

TEST_F(map, direct_write)
{
	char dir[] = "/tmp/gup_9p.XXXXXX", name[64], back[LEN];
	struct stat st;
	ssize_t ret;
	int fd;

	ASSERT_NE(NULL, mkdtemp(dir));
	if (mount("share", dir, "9p", 0, "trans=virtio,version=9p2000.L,access=any")) {
		rmdir(dir);
		SKIP(return, "no 9p share to write to: %s", strerror(errno));
	}
	snprintf(name, sizeof(name), "%s/file", dir);
	fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT, 0600);
	EXPECT_LE(0, fd);
	ret = pwrite(fd, self->p + AT, LEN, 0);
	if (ret < 0) {
		EXPECT_EQ(dax.gup_errno, errno);
		EXPECT_EQ(EFAULT, dax.gup_errno);
		EXPECT_EQ(0, fstat(fd, &st));
		EXPECT_EQ(0, st.st_size);
	} else {
		EXPECT_EQ((ssize_t)LEN, ret);
		EXPECT_EQ((ssize_t)LEN, pread(fd, back, LEN, 0));
		EXPECT_EQ(0, memcmp(self->p + AT, back, LEN));
	}
	EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 0));
	close(fd);
	unlink(name);
	EXPECT_EQ(0, umount(dir));
	rmdir(dir);
}

DAX_TEST_MAIN
