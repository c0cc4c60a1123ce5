// SPDX-License-Identifier: GPL-2.0
/*
 * A DAX mapping as an io_uring buffer: plain direct I/O needs its pages for a
 * moment and gives EFAULT where there are none; registering it would pin it for
 * long, which filesystem DAX refuses with EOPNOTSUPP, page-backed or not.
 */
#include <liburing.h>
#include "dax_fixture.h"

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
	self->p = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, variant->huge);
	dax_populate(self->p, MAP_LEN);
}

FIXTURE_TEARDOWN(uring)
{
	io_uring_queue_exit(&self->ring);
	munmap(self->p, MAP_LEN);
	close(self->fd);
	close(self->other);
}

/* Submit what was prepared and give its result. */
static int result(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	int res;

	if (io_uring_submit(ring) != 1 || io_uring_wait_cqe(ring, &cqe))
		dax_die("io_uring");
	res = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return res;
}

static int read_result(struct io_uring *ring, int fd, void *buf, int flags)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	io_uring_prep_read(sqe, fd, buf, LEN, 0);
	sqe->flags |= flags;
	return result(ring);
}

TEST_F(uring, direct_read_into_the_mapping)
{
	int expected = dax.gup_errno ? -dax.gup_errno : (int)LEN;
	static const int flags[] = { 0, IOSQE_ASYNC };

	for (int i = 0; i < 2; i++) {
		char *to = self->p + PMD_SZ * (i + 1) - LEN / 2;

		EXPECT_EQ(expected, read_result(&self->ring, self->other, to, flags[i]));
		EXPECT_EQ(-1, dax_mismatch(to, LEN, dax.gup_errno ? to - self->p : 0,
					   dax.gup_errno ? 0 : 7));
	}
}

TEST_F(uring, direct_write_from_the_mapping)
{
	int expected = dax.gup_errno ? -dax.gup_errno : (int)LEN;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&self->ring);
	char *buf = aligned_alloc(PAGE_SZ, LEN);

	io_uring_prep_write(sqe, self->other, self->p, LEN, 0);
	EXPECT_EQ(expected, result(&self->ring));
	ASSERT_EQ((ssize_t)LEN, pread(self->other, buf, LEN, 0));
	EXPECT_EQ(-1, dax_mismatch(buf, LEN, 0, dax.gup_errno ? 7 : 0));
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

DAX_TEST_MAIN
