// SPDX-License-Identifier: GPL-2.0
/*
 * AIO with buffers in a DAX mapping: many requests at once, of each opcode, in
 * both directions, give the results and the bytes that anonymous memory gives.
 */
#include <linux/aio_abi.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include "direct_fixture.h"

/* Submit all, wait for all; the results in the order of @cb. */
static void run_all(struct iocb *cb, int nr, long long *res)
{
	struct io_event event[PIECES];
	struct iocb *cbs[PIECES];
	aio_context_t ctx = 0;

	for (int i = 0; i < nr; i++) {
		cb[i].aio_data = i;
		cbs[i] = &cb[i];
	}
	if (syscall(SYS_io_setup, nr, &ctx))
		dax_die("io_setup");
	for (int done = 0, n; done < nr; done += n) {
		n = syscall(SYS_io_submit, ctx, nr - done, cbs + done);
		if (n <= 0)
			dax_die("io_submit");
	}
	if (syscall(SYS_io_getevents, ctx, nr, nr, event, NULL) != nr)
		dax_die("io_getevents");
	for (int i = 0; i < nr; i++)
		res[event[i].data] = event[i].res;
	syscall(SYS_io_destroy, ctx);
}

static struct iocb request(int opcode, int fd, const void *buf, size_t len, off_t off)
{
	return (struct iocb){
		.aio_lio_opcode = opcode,
		.aio_fildes = fd,
		.aio_buf = (uintptr_t)buf,
		.aio_nbytes = len,
		.aio_offset = off,
	};
}

TEST_F(direct, many_at_once)
{
	long long res[PIECES];
	struct iocb cb[PIECES];

	for (int i = 0; i < PIECES; i++)
		cb[i] = request(IOCB_CMD_PREAD, self->other, self->p + piece(i), PIECE, i * PIECE);
	run_all(cb, PIECES, res);
	for (int i = 0; i < PIECES; i++) {
		EXPECT_EQ((long long)PIECE, res[i]);
		read_other(self->other, self->shadow + piece(i), PIECE, i * PIECE);
	}
	EXPECT_TRUE(same_bytes(self, 0, MAP_LEN));
	fill_other(self->other, self->back, OTHER_LEN, 0, 5);
	for (int i = 0; i < PIECES; i++)
		cb[i] = request(IOCB_CMD_PWRITE, self->other, self->p + piece(i), PIECE, i * PIECE);
	run_all(cb, PIECES, res);
	read_other(self->other, self->back, OTHER_LEN, 0);
	for (int i = 0; i < PIECES; i++) {
		EXPECT_EQ((long long)PIECE, res[i]);
		EXPECT_EQ(0, memcmp(self->back + i * PIECE, self->shadow + piece(i), PIECE));
	}
	expect_no_pins(_metadata);
}

/* Reads and writes at once, whose data goes from one part of OTHER to another. */
TEST_F(direct, both_directions_at_once)
{
	long long res[PIECES];
	struct iocb cb[PIECES];

	for (int i = 0; i < PIECES; i++) {
		bool write = i % 2;

		cb[i] = request(write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD, self->other,
				self->p + piece(i), PIECE, i * PIECE);
	}
	run_all(cb, PIECES, res);
	read_other(self->other, self->back, OTHER_LEN, 0);
	for (int i = 0; i < PIECES; i++) {
		EXPECT_EQ((long long)PIECE, res[i]);
		EXPECT_EQ(-1, i % 2 ? dax_mismatch(self->back + i * PIECE, PIECE, piece(i), 0) :
				      dax_mismatch(self->p + piece(i), PIECE, i * PIECE, 7));
	}
}

TEST_F(direct, vectored)
{
	struct iovec iov[] = {
		{ self->p + 2 * PMD_SZ, PIECE }, { self->p + PMD_SZ - PIECE / 2, PIECE },
	};
	struct iocb cb = request(IOCB_CMD_PREADV, self->other, iov, 2, PIECE);
	long long res;

	run_all(&cb, 1, &res);
	EXPECT_EQ(2 * (long long)PIECE, res);
	read_other(self->other, self->shadow + 2 * PMD_SZ, PIECE, PIECE);
	read_other(self->other, self->shadow + PMD_SZ - PIECE / 2, PIECE, 2 * PIECE);
	EXPECT_TRUE(same_bytes(self, 0, MAP_LEN));
	cb = request(IOCB_CMD_PWRITEV, self->other, iov, 2, 4 * PIECE);
	run_all(&cb, 1, &res);
	EXPECT_EQ(2 * (long long)PIECE, res);
	read_other(self->other, self->back, 2 * PIECE, 4 * PIECE);
	EXPECT_EQ(-1, dax_mismatch(self->back, 2 * PIECE, PIECE, 7));
}

TEST_F(direct, tells_an_eventfd)
{
	struct iocb cb = request(IOCB_CMD_PREAD, self->other, self->p, PIECE, PIECE);
	uint64_t n = 0;
	long long res;

	cb.aio_flags = IOCB_FLAG_RESFD;
	cb.aio_resfd = eventfd(0, EFD_NONBLOCK);
	run_all(&cb, 1, &res);
	EXPECT_EQ((long long)PIECE, res);
	EXPECT_EQ(8, read(cb.aio_resfd, &n, 8));
	EXPECT_EQ(1UL, n);
	EXPECT_EQ(-1, dax_mismatch(self->p, PIECE, PIECE, 7));
}

/* As many flags and errors as the call without AIO has. */
TEST_F(direct, flags_and_errors)
{
	static const int flags[] = { 0, RWF_HIPRI, RWF_DSYNC, 1 << 30 };
	long long got, wanted;

	for (unsigned int i = 0; i < ARRAY_SIZE(flags); i++) {
		struct iocb cb = request(IOCB_CMD_PREAD, self->other, self->p + 1, PIECE, 0), *cbs = &cb;
		struct io_event event = { 0 };
		long long *res[] = { &got, &wanted };

		cb.aio_rw_flags = flags[i];
		for (int misaligned = 0; misaligned < 2; misaligned++) {
			for (int j = 0; j < 2; j++) {
				aio_context_t ctx = 0;

				ASSERT_EQ(0, syscall(SYS_io_setup, 1, &ctx));
				cb.aio_buf = (uintptr_t)(j ? self->shadow : self->p) + misaligned;
				*res[j] = ERRNO_OF(syscall(SYS_io_submit, ctx, 1, &cbs));
				if (!*res[j]) {
					ASSERT_EQ(1, syscall(SYS_io_getevents, ctx, 1, 1, &event, NULL));
					*res[j] = event.res;
				}
				syscall(SYS_io_destroy, ctx);
			}
			EXPECT_EQ(wanted, got) TH_LOG("flags %#x, misaligned %d", flags[i], misaligned);
			EXPECT_TRUE(same_bytes(self, 0, MAP_LEN));
		}
	}
}

DAX_TEST_MAIN
