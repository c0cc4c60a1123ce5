// SPDX-License-Identifier: GPL-2.0
/*
 * A DAX mapping as an io_uring buffer: direct I/O pins it for a moment; registering
 * it would pin it for long, which filesystem DAX refuses with EOPNOTSUPP,
 * page-backed or not.  Sending it without a copy would hand its pages to a socket.
 */
#include <netinet/in.h>
#include <sys/socket.h>
#include "dax_fixture.h"
#include "dax_uring.h"

#define LEN (64 * PAGE_SZ)

FIXTURE(uring)
{
	struct io_uring ring;
	int fd;
	int other;
	char *p;
};

FIXTURE_VARIANT(uring)
{
	bool huge;
};

FIXTURE_VARIANT_ADD(uring, pte)
{
	.huge = false,
};

FIXTURE_VARIANT_ADD(uring, pmd)
{
	.huge = true,
};

FIXTURE_SETUP(uring)
{
	char *buf = aligned_alloc(PAGE_SZ, LEN);

	if (!dax.other)
		SKIP(return, "no OTHER file given");
	if (io_uring_queue_init(4, &self->ring, 0))
		SKIP(return, "kernel without io_uring");
	self->other = open(dax.other, O_RDWR | O_DIRECT);
	ASSERT_LE(0, self->other);
	dax_fill(buf, LEN, 0, 7);
	ASSERT_EQ((ssize_t)LEN, pwrite(self->other, buf, LEN, 0));
	free(buf);
	self->fd = dax_create(MAP_LEN);
	self->p = map_chunks(_metadata, self->fd, variant->huge);
}

FIXTURE_TEARDOWN(uring)
{
	io_uring_queue_exit(&self->ring);
	munmap(self->p, MAP_LEN);
	close(self->fd);
	close(self->other);
}

static int read_result(struct io_uring *ring, int fd, void *buf, int flags)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	io_uring_prep_read(sqe, fd, buf, LEN, 0);
	sqe->flags |= flags;
	return uring_result(ring);
}

TEST_F(uring, direct_read_into_the_mapping)
{
	static const int flags[] = { 0, IOSQE_ASYNC };

	for (int i = 0; i < 2; i++) {
		char *to = self->p + PMD_SZ * (i + 1) - LEN / 2;

		EXPECT_EQ((int)LEN, read_result(&self->ring, self->other, to, flags[i]));
		EXPECT_EQ(-1, dax_mismatch(to, LEN, 0, 7));
	}
}

TEST_F(uring, direct_write_from_the_mapping)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&self->ring);
	char *buf = aligned_alloc(PAGE_SZ, LEN);

	io_uring_prep_write(sqe, self->other, self->p, LEN, 0);
	EXPECT_EQ((int)LEN, uring_result(&self->ring));
	ASSERT_EQ((ssize_t)LEN, pread(self->other, buf, LEN, 0));
	EXPECT_EQ(-1, dax_mismatch(buf, LEN, 0, 0));
	free(buf);
}

/* Reading the DAX file itself copies. */
TEST_F(uring, read_of_the_dax_file)
{
	char *buf = aligned_alloc(PAGE_SZ, LEN);

	EXPECT_EQ((int)LEN, read_result(&self->ring, self->fd, buf, 0));
	EXPECT_EQ(-1, dax_mismatch(buf, LEN, 0, 0));
	EXPECT_EQ((int)LEN, read_result(&self->ring, self->fd, self->p + PMD_SZ, IOSQE_ASYNC));
	EXPECT_EQ(-1, dax_mismatch(self->p + PMD_SZ, LEN, 0, 0));
	free(buf);
}

TEST_F(uring, registering_is_refused)
{
	struct iovec iov = { self->p, LEN };
	int expected = dax.check ? -EOPNOTSUPP : 0;

	EXPECT_EQ(expected, io_uring_register_buffers(&self->ring, &iov, 1));
	EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 0));
}

/* All or nothing: a good buffer beside it must not stay pinned. */
TEST_F(uring, registering_beside_anonymous_memory_is_refused)
{
	struct iovec iov[] = { { aligned_alloc(PAGE_SZ, LEN), LEN }, { self->p + PMD_SZ, LEN } };
	int expected = dax.check ? -EOPNOTSUPP : 0;

	EXPECT_EQ(expected, io_uring_register_buffers(&self->ring, iov, 2));
	WHEN(expected, EXPECT_EQ(0, io_uring_register_buffers(&self->ring, iov, 1)));
}

/* A socket that is its own peer; -1 if there is no IPv4. */
static int udp_socket(void)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0)
		return fd;
	if (bind(fd, (struct sockaddr *)&addr, len) ||
	    getsockname(fd, (struct sockaddr *)&addr, &len) ||
	    connect(fd, (struct sockaddr *)&addr, len))
		dax_die("UDP over loopback (is lo up?)");
	return fd;
}

TEST_F(uring, send_without_a_copy)
{
	size_t len = 4 * PAGE_SZ, at = PMD_SZ - len / 2;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&self->ring);
	struct io_uring_cqe *cqe;
	int fd = udp_socket(), res;
	char buf[4 * PAGE_SZ];

	if (fd < 0)
		SKIP(return, "kernel without IPv4");
	io_uring_prep_send_zc(sqe, fd, self->p + at, len, 0, 0);
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	ASSERT_EQ(0, io_uring_wait_cqe(&self->ring, &cqe));
	res = cqe->res;
	/* A second entry says when the memory is no longer used. */
	if (cqe->flags & IORING_CQE_F_MORE) {
		io_uring_cqe_seen(&self->ring, cqe);
		ASSERT_EQ(0, io_uring_wait_cqe(&self->ring, &cqe));
	}
	io_uring_cqe_seen(&self->ring, cqe);
	EXPECT_EQ(dax.gup_errno ? -dax.gup_errno : (int)len, res);
	if (res > 0) {
		ASSERT_EQ((ssize_t)len, recv(fd, buf, len, 0));
		EXPECT_EQ(-1, dax_mismatch(buf, len, at, 0));
	}
	EXPECT_EQ(-1, recv(fd, buf, len, MSG_DONTWAIT));
	close(fd);
}

DAX_TEST_MAIN
