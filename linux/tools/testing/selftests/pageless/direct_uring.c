// SPDX-License-Identifier: GPL-2.0
/*
 * io_uring with buffers in a DAX mapping, on a ring that interrupts, one that
 * polls the device and one whose submissions the kernel polls: results and bytes
 * are those of anonymous memory.  gup_io_uring has what is refused.
 *
 * PAGELESS_POLLS=1 says that OTHER has poll queues.
 */
#include "dax_uring.h"
#include "direct_fixture.h"

FIXTURE(uring)
{
	FIXTURE_DATA(direct) d;
	struct io_uring ring;
};

FIXTURE_VARIANT(uring)
{
	unsigned int setup;
	bool huge;
};

FIXTURE_VARIANT_ADD(uring, plain_pte) { .setup = 0 };
FIXTURE_VARIANT_ADD(uring, plain_pmd) { .setup = 0, .huge = true };
FIXTURE_VARIANT_ADD(uring, iopoll_pte) { .setup = IORING_SETUP_IOPOLL };
FIXTURE_VARIANT_ADD(uring, iopoll_pmd) { .setup = IORING_SETUP_IOPOLL, .huge = true };
FIXTURE_VARIANT_ADD(uring, sqpoll_pte) { .setup = IORING_SETUP_SQPOLL };
FIXTURE_VARIANT_ADD(uring, sqpoll_pmd) { .setup = IORING_SETUP_SQPOLL, .huge = true };

static int transfer_result(struct io_uring *ring, const struct transfer *t, int fd, char *base)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct iovec iov[MAX_PARTS];

	for (int i = 0; i < t->nr; i++)
		iov[i] = (struct iovec){ base + t->part[i].at, t->part[i].len };
	if (t->vectored && t->write)
		io_uring_prep_writev(sqe, fd, iov, t->nr, t->off);
	else if (t->vectored)
		io_uring_prep_readv(sqe, fd, iov, t->nr, t->off);
	else if (t->write)
		io_uring_prep_write(sqe, fd, iov->iov_base, iov->iov_len, t->off);
	else
		io_uring_prep_read(sqe, fd, iov->iov_base, iov->iov_len, t->off);
	sqe->flags |= t->flags;
	return uring_result(ring);
}

/* A device without poll queues says so at the first request. */
static bool polls(struct _test_data_uring *self)
{
	struct transfer t = { .nr = 1, .part = { { 0, self->d.block } } };

	return transfer_result(&self->ring, &t, self->d.other, self->d.back) != -EOPNOTSUPP;
}

FIXTURE_SETUP(uring)
{
	const FIXTURE_VARIANT(direct) size = { .huge = variant->huge };

	direct_setup(_metadata, &self->d, &size);
	if (_metadata->exit_code == KSFT_SKIP)
		return;
	if (io_uring_queue_init(PIECES, &self->ring, variant->setup))
		SKIP(return, "kernel without io_uring");
	if (variant->setup == IORING_SETUP_IOPOLL && !polls(self)) {
		ASSERT_STREQ("", getenv("PAGELESS_POLLS") ?: "");
		SKIP(return, "%s has no poll queue", dax.other);
	}
}

FIXTURE_TEARDOWN(uring)
{
	io_uring_queue_exit(&self->ring);
}

/* As expect_all() of direct_fixture.h, by the ring. */
static void expect_all_by_ring(struct __test_metadata *_metadata, struct _test_data_uring *self,
			       const struct transfer *t)
{
	int len = transfer_len(t);

	if (t->write)
		fill_other(self->d.other, self->d.back, len, t->off, 5);
	ASSERT_EQ(len, transfer_result(&self->ring, t, self->d.other, self->d.p));
	if (t->write) {
		read_other(self->d.other, self->d.back, len, t->off);
		EXPECT_TRUE(written_as_shadow(t, self->d.back, self->d.shadow, len));
	}
	ASSERT_EQ(len, transfer_result(&self->ring, t, self->d.other, self->d.shadow));
	ASSERT_TRUE(same_bytes(&self->d, 0, MAP_LEN));
}

TEST_F(uring, one_at_a_time)
{
	static const size_t lens[] = { PAGE_SZ, 17 * PAGE_SZ, 256 * PAGE_SZ, 2 * PMD_SZ };
	struct transfer t = { .nr = 1 };

	for (unsigned int i = 0; i < 4 * ARRAY_SIZE(lens); i++) {
		t.write = i % 2;
		t.vectored = i / 2 % 2;
		t.part[0].len = lens[i / 4];
		t.part[0].at = PMD_SZ - lens[i / 4] / 2 / PAGE_SZ * PAGE_SZ;
		t.off = i * self->d.block;
		expect_all_by_ring(_metadata, self, &t);
	}
}

TEST_F(uring, vectors)
{
	struct transfer t = {
		.vectored = true,
		.nr = 3,
		.part = { { 2 * PMD_SZ, PIECE }, { PMD_SZ - PIECE / 2, PIECE }, { 0, PIECE } },
	};

	expect_all_by_ring(_metadata, self, &t);
	t.write = true;
	t.off = PIECE;
	expect_all_by_ring(_metadata, self, &t);
}

/* By a worker thread, which pins in the name of the process. */
TEST_F(uring, by_a_worker)
{
	struct transfer t = { .flags = IOSQE_ASYNC, .nr = 1, .part = { { PMD_SZ - PIECE, 2 * PIECE } } };

	expect_all_by_ring(_metadata, self, &t);
	t.write = true;
	t.off = PIECE;
	expect_all_by_ring(_metadata, self, &t);
}

static void run_all(struct __test_metadata *_metadata, struct io_uring *ring)
{
	struct io_uring_cqe *cqe;

	ASSERT_LE(0, io_uring_submit(ring));
	for (int i = 0; i < PIECES; i++) {
		ASSERT_EQ(0, io_uring_wait_cqe(ring, &cqe));
		EXPECT_EQ((int)PIECE, cqe->res);
		io_uring_cqe_seen(ring, cqe);
	}
}

TEST_F(uring, many_at_once)
{
	for (int i = 0; i < PIECES; i++)
		io_uring_prep_read(io_uring_get_sqe(&self->ring), self->d.other,
				   self->d.p + piece(i), PIECE, i * PIECE);
	run_all(_metadata, &self->ring);
	for (int i = 0; i < PIECES; i++)
		read_other(self->d.other, self->d.shadow + piece(i), PIECE, i * PIECE);
	EXPECT_TRUE(same_bytes(&self->d, 0, MAP_LEN));
	fill_other(self->d.other, self->d.back, OTHER_LEN, 0, 5);
	for (int i = 0; i < PIECES; i++)
		io_uring_prep_write(io_uring_get_sqe(&self->ring), self->d.other,
				    self->d.p + piece(i), PIECE, i * PIECE);
	run_all(_metadata, &self->ring);
	read_other(self->d.other, self->d.back, OTHER_LEN, 0);
	for (int i = 0; i < PIECES; i++)
		EXPECT_EQ(0, memcmp(self->d.back + i * PIECE, self->d.shadow + piece(i), PIECE));
	expect_no_pins(_metadata);
}

/* Out of one place of the mapping, through OTHER, into another. */
TEST_F(uring, linked)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&self->ring);
	struct io_uring_cqe *cqe;

	io_uring_prep_write(sqe, self->d.other, self->d.p + PMD_SZ, PIECE, PIECE);
	sqe->flags |= IOSQE_IO_LINK;
	sqe = io_uring_get_sqe(&self->ring);
	io_uring_prep_read(sqe, self->d.other, self->d.p + 2 * PMD_SZ, PIECE, PIECE);
	ASSERT_LE(0, io_uring_submit(&self->ring));
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, io_uring_wait_cqe(&self->ring, &cqe));
		EXPECT_EQ((int)PIECE, cqe->res);
		io_uring_cqe_seen(&self->ring, cqe);
	}
	memcpy(self->d.shadow + 2 * PMD_SZ, self->d.shadow + PMD_SZ, PIECE);
	EXPECT_TRUE(same_bytes(&self->d, 0, MAP_LEN));
}

/* The kernel chooses the buffer, of those provided. */
TEST_F(uring, provided_buffers)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&self->ring);
	struct io_uring_cqe *cqe;
	unsigned int buf;

	io_uring_prep_provide_buffers(sqe, self->d.p + PMD_SZ, PIECE, 2, 1, 0);
	ASSERT_LE(0, uring_result(&self->ring));
	for (int i = 0; i < 2; i++) {
		sqe = io_uring_get_sqe(&self->ring);
		io_uring_prep_read(sqe, self->d.other, NULL, PIECE, i * PIECE);
		sqe->flags |= IOSQE_BUFFER_SELECT;
		sqe->buf_group = 1;
		ASSERT_LE(0, io_uring_submit(&self->ring));
		ASSERT_EQ(0, io_uring_wait_cqe(&self->ring, &cqe));
		EXPECT_EQ((int)PIECE, cqe->res);
		buf = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
		ASSERT_GT(2U, buf);
		read_other(self->d.other, self->d.shadow + PMD_SZ + buf * PIECE, PIECE, i * PIECE);
		io_uring_cqe_seen(&self->ring, cqe);
	}
	EXPECT_TRUE(same_bytes(&self->d, 0, MAP_LEN));
}

/* The same errors as with anonymous memory. */
TEST_F(uring, errors)
{
	struct transfer t = { .nr = 1 };

	ASSERT_EQ(0, munmap(self->d.p + PMD_SZ, PAGE_SZ) | munmap(self->d.shadow + PMD_SZ, PAGE_SZ));
	for (int i = 0; i < 6; i++) {
		t.write = i % 2;
		t.part[0].at = i < 2 ? 1 : i < 4 ? PMD_SZ : PMD_SZ - PIECE;
		t.part[0].len = i < 4 ? PIECE : 2 * PIECE;
		EXPECT_EQ(transfer_result(&self->ring, &t, self->d.other, self->d.shadow),
			  transfer_result(&self->ring, &t, self->d.other, self->d.p))
			TH_LOG("%s at %#zx", t.write ? "write" : "read", t.part[0].at);
		ASSERT_TRUE(same_bytes(&self->d, 0, PMD_SZ));
		ASSERT_TRUE(same_bytes(&self->d, PMD_SZ + PAGE_SZ, MAP_LEN - PMD_SZ - PAGE_SZ));
	}
	expect_no_pins(_metadata);
}

DAX_TEST_MAIN
