// SPDX-License-Identifier: GPL-2.0
/*
 * copy_file_range(), sendfile() and splice() take what was stored through a
 * mapping of a DAX file, to files, pipes and sockets, and bring data back that
 * the mapping sees.  Web servers and cp use them; stale bytes would be served.
 */
#include <sys/sendfile.h>
#include <sys/socket.h>
#include "dax_fixture.h"

/* Odd on purpose, and across a 2 MiB boundary. */
#define AT	(PMD_SZ - 3 * PAGE_SZ + 8)
#define LEN	(6 * PAGE_SZ + 16)

/* copy_file_range() until @end, the same offset in both files. */
static bool copy_all(int from, int to, off_t off, off_t end)
{
	off_t from_off = off;

	while (off < end)
		if (copy_file_range(from, &from_off, to, &off, end - off, 0) <= 0)
			return false;
	return true;
}

TEST_F(map, copy_file_range_between_dax_files)
{
	int fd = dax_create_hole(0);

	dax_fill(self->p, MAP_LEN, 0, 1);
	ASSERT_TRUE(copy_all(self->fd, fd, 0, MAP_LEN));
	EXPECT_EQ(-1, dax_file_mismatch(fd, 0, MAP_LEN, 1));
	dax_fill(self->p, MAP_LEN, 0, 2);
	EXPECT_EQ(-1, dax_file_mismatch(fd, 0, MAP_LEN, 1));
}

TEST_F(map, copy_file_range_into_a_mapping)
{
	int fd = dax_create(MAP_LEN);

	dax_fill(self->p, MAP_LEN, 0, 1);
	ASSERT_TRUE(copy_all(fd, self->fd, AT, AT + LEN));
	EXPECT_EQ(-1, dax_mismatch(self->p, AT, 0, 1));
	EXPECT_EQ(-1, dax_mismatch(self->p + AT, LEN, AT, 0));
	EXPECT_EQ(-1, dax_mismatch(self->p + AT + LEN, PAGE_SZ, AT + LEN, 1));
}

TEST_F(map, sendfile_to_a_socket)
{
	off_t off = AT;
	int s[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	dax_fill(self->p, MAP_LEN, 0, 1);
	ASSERT_EQ((ssize_t)LEN, sendfile(s[0], self->fd, &off, LEN));
	EXPECT_EQ(-1, dax_received_mismatch(s[1], AT, LEN, 1));
}

TEST_F(map, sendfile_to_a_file)
{
	int fd = memfd_create("target", 0);
	off_t off = 0;

	dax_fill(self->p, MAP_LEN, 0, 1);
	ASSERT_EQ((ssize_t)MAP_LEN, sendfile(fd, self->fd, &off, MAP_LEN));
	EXPECT_EQ(-1, dax_file_mismatch(fd, 0, MAP_LEN, 1));
}

TEST_F(map, splice_to_a_pipe)
{
	loff_t off = AT;
	int p[2];

	ASSERT_EQ(0, pipe(p));
	dax_fill(self->p, MAP_LEN, 0, 1);
	ASSERT_EQ((ssize_t)LEN, splice(self->fd, &off, p[1], NULL, LEN, 0));
	EXPECT_EQ(-1, dax_received_mismatch(p[0], AT, LEN, 1));
}

TEST_F(map, splice_from_a_pipe)
{
	uint64_t buf[PAGE_SZ / 8];
	loff_t off = AT;
	int p[2];

	ASSERT_EQ(0, pipe(p));
	dax_fill(buf, PAGE_SZ, AT, 3);
	ASSERT_EQ((ssize_t)PAGE_SZ, write(p[1], buf, PAGE_SZ));
	ASSERT_EQ((ssize_t)PAGE_SZ, splice(p[0], NULL, self->fd, &off, PAGE_SZ, 0));
	EXPECT_EQ(-1, dax_mismatch(self->p, AT, 0, 0));
	EXPECT_EQ(-1, dax_mismatch(self->p + AT, PAGE_SZ, AT, 3));
}

DAX_TEST_MAIN
