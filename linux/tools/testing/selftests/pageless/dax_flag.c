// SPDX-License-Identifier: GPL-2.0
/*
 * On a mount with dax=inode the flag FS_XFLAG_DAX decides for each file, new
 * files inherit it from their directory, and the data stays when it changes.
 * Otherwise users cannot keep DAX to the files that profit from it.
 */
#include <sys/stat.h>
#include "dax_fixture.h"

static bool has_flag(int fd)
{
	struct fsxattr fsx;

	if (ioctl(fd, FS_IOC_FSGETXATTR, &fsx))
		dax_die("FS_IOC_FSGETXATTR");
	return fsx.fsx_xflags & FS_XFLAG_DAX;
}

/* A directory on a mount where files are not DAX unless told to be. */
FIXTURE(dir)
{
	char path[4096];
	int fd;
};

FIXTURE_SETUP(dir)
{
	int plain = dax_tmpfile(dax.dir);

	if (dax_is_dax(plain))
		SKIP(return, "not a mount with dax=inode: every file is DAX");
	if (dax_set_flag(plain, true))
		SKIP(return, "filesystem without FS_XFLAG_DAX");
	snprintf(self->path, sizeof(self->path), "%s/pageless.XXXXXX", dax.dir);
	ASSERT_NE(NULL, mkdtemp(self->path));
	self->fd = open(self->path, O_RDONLY | O_DIRECTORY);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(dir)
{
	unlinkat(self->fd, "file", 0);
	unlinkat(self->fd, "sub", AT_REMOVEDIR);
	rmdir(self->path);
	close(self->fd);
}

TEST_F(dir, files_are_not_dax_by_default)
{
	int fd = dax_open_at(self->fd, "file");

	EXPECT_FALSE(dax_is_dax(fd));
	EXPECT_FALSE(has_flag(fd));
}

TEST_F(dir, new_file_inherits_from_the_directory)
{
	char *p;
	int fd;

	ASSERT_EQ(0, dax_set_flag(self->fd, true));
	fd = dax_open_at(self->fd, "file");
	EXPECT_TRUE(has_flag(fd));
	ASSERT_TRUE(dax_is_dax(fd));
	ASSERT_EQ(0, ftruncate(fd, PMD_SZ));
	p = dax_map(fd, 0, PMD_SZ, PROT_READ | PROT_WRITE, MAP_SHARED, true);
	dax_fill(p, PMD_SZ, 0, 1);
	EXPECT_EQ(-1, dax_file_mismatch(fd, 0, PMD_SZ, 1));
}

TEST_F(dir, new_directory_inherits_too)
{
	int sub;

	ASSERT_EQ(0, dax_set_flag(self->fd, true));
	ASSERT_EQ(0, mkdirat(self->fd, "sub", 0700));
	sub = openat(self->fd, "sub", O_RDONLY | O_DIRECTORY);
	EXPECT_TRUE(has_flag(sub));
	close(sub);
}

/* The change waits until nobody uses the inode; then the data is the same. */
TEST_F(dir, data_survives_the_change)
{
	uint64_t buf[2 * PAGE_SZ / 8];
	int fd = dax_open_at(self->fd, "file");

	dax_fill(buf, sizeof(buf), 0, 2);
	for (int on = 1; on >= 0; on--) {
		ASSERT_EQ((ssize_t)sizeof(buf), pwrite(fd, buf, sizeof(buf), 0));
		ASSERT_EQ(0, dax_set_flag(fd, on));
		EXPECT_EQ(!on, dax_is_dax(fd)) TH_LOG("changed while in use");
		close(fd);
		ASSERT_EQ(0, dax_write_path("/proc/sys/vm/drop_caches", "2"));
		fd = dax_open_at(self->fd, "file");
		EXPECT_EQ(on, dax_is_dax(fd));
		EXPECT_EQ(-1, dax_file_mismatch(fd, 0, sizeof(buf), 2));
	}
}

int main(int argc, char **argv)
{
	/* Files need not be DAX: that is what is tested. */
	setenv("PAGELESS_NO_DAX_CHECK", "1", 1);
	dax_init(argc, argv);
	atexit(exit_skip_if_all_skipped);
	return test_harness_run(argc, argv);
}
