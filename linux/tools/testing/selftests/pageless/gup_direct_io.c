// SPDX-License-Identifier: GPL-2.0
/*
 * A DAX mapping as the buffer of direct I/O to another file.  Direct I/O oopsing
 * here was one of the reasons why page-less DAX was switched off in 4.15.  The
 * direct_ programs have sizes, errors, devices and what happens meanwhile.
 */
#include <linux/aio_abi.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include "dax_fixture.h"

/* A block device reports a bad buffer above 256 pages as EIO. */
#define LEN	(256 * PAGE_SZ)
#define PART	(16 * PAGE_SZ)
/* Across the edge of a chunk. */
#define AT	(PMD_SZ - LEN / 2)

/* OTHER, with @len bytes of pattern @seed in it. */
static int other_with(size_t len, uint64_t seed)
{
	char *buf = aligned_alloc(PAGE_SZ, len);
	int fd = open(dax.other, O_RDWR | O_DIRECT);

	dax_fill(buf, len, 0, seed);
	if (fd < 0 || pwrite(fd, buf, len, 0) != (ssize_t)len)
		dax_die("write %s with O_DIRECT", dax.other);
	free(buf);
	return fd;
}

static ssize_t other_mismatch(int fd, size_t len, off_t off, uint64_t seed)
{
	char *buf = aligned_alloc(PAGE_SZ, len);
	ssize_t bad;

	if (pread(fd, buf, len, 0) != (ssize_t)len)
		dax_die("read %s with O_DIRECT", dax.other);
	bad = dax_mismatch(buf, len, off, seed);
	free(buf);
	return bad;
}

static void expect_read_at(struct __test_metadata *_metadata, char *p, int fd)
{
	EXPECT_EQ(-1, dax_mismatch(p + AT, LEN, 0, 7));
	EXPECT_EQ(-1, dax_mismatch(p, AT, 0, 0));
	EXPECT_EQ(-1, dax_mismatch(p + AT + LEN, MAP_LEN - AT - LEN, AT + LEN, 0));
	EXPECT_EQ(-1, dax_file_mismatch(fd, 0, AT, 0));
}

TEST_F(map, read_into_the_mapping)
{
	if (!dax.other)
		SKIP(return, "no OTHER file given");
	EXPECT_EQ((ssize_t)LEN, pread(other_with(LEN, 7), self->p + AT, LEN, 0));
	expect_read_at(_metadata, self->p, self->fd);
}

TEST_F(map, write_from_the_mapping)
{
	int fd;

	if (!dax.other)
		SKIP(return, "no OTHER file given");
	fd = other_with(LEN, 7);
	EXPECT_EQ((ssize_t)LEN, pwrite(fd, self->p + AT, LEN, 0));
	EXPECT_EQ(-1, other_mismatch(fd, LEN, AT, 0));
	EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 0));
}

/* Entries that the I/O itself has to fault in. */
TEST_F(map, read_into_an_untouched_mapping)
{
	char *q;

	if (!dax.other)
		SKIP(return, "no OTHER file given");
	q = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, variant->huge);
	EXPECT_EQ((ssize_t)LEN, pread(other_with(LEN, 7), q + AT, LEN, 0));
	expect_read_at(_metadata, q, self->fd);
}

TEST_F(map, read_into_a_read_only_mapping)
{
	char *q;

	if (!dax.other)
		SKIP(return, "no OTHER file given");
	q = dax_map(self->fd, 0, MAP_LEN, PROT_READ, MAP_SHARED, variant->huge);
	ASSERT_EQ(0, dax_try_load(q));
	EXPECT_EQ(EFAULT, ERRNO_OF(pread(other_with(LEN, 7), q, LEN, 0)));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, LEN, 0));
}

/* A read breaks copy-on-write first: the pages are DRAM, and I/O works. */
TEST_F(map, read_into_a_private_mapping)
{
	char *q;

	if (!dax.other)
		SKIP(return, "no OTHER file given");
	q = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE, variant->huge);
	ASSERT_EQ(0, dax_try_load(q + AT));
	EXPECT_EQ((ssize_t)LEN, pread(other_with(LEN, 7), q + AT, LEN, 0));
	EXPECT_EQ(-1, dax_mismatch(q + AT, LEN, 0, 7));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 0));
}

TEST_F(map, writev_of_anonymous_and_dax_memory)
{
	char *anon = aligned_alloc(PAGE_SZ, 3 * PART);
	struct iovec iov[] = {
		{ anon, PART }, { self->p + PART, PART }, { anon + 2 * PART, PART }
	};
	int fd;

	if (!dax.other)
		SKIP(return, "no OTHER file given");
	dax_fill(anon, 3 * PART, 0, 0);
	fd = other_with(3 * PART, 7);
	EXPECT_EQ(3 * (ssize_t)PART, pwritev(fd, iov, 3, 0));
	EXPECT_EQ(-1, other_mismatch(fd, 3 * PART, 0, 0));
}

TEST_F(map, readv_to_anonymous_and_dax_memory)
{
	char *anon = aligned_alloc(PAGE_SZ, 2 * PART);
	struct iovec iov[] = {
		{ anon, PART }, { self->p + PART, PART }, { anon + PART, PART }
	};

	if (!dax.other)
		SKIP(return, "no OTHER file given");
	EXPECT_EQ(3 * (ssize_t)PART, preadv(other_with(3 * PART, 7), iov, 3, 0));
	EXPECT_EQ(-1, dax_mismatch(anon, PART, 0, 7));
	EXPECT_EQ(-1, dax_mismatch(self->p + PART, PART, PART, 7));
	EXPECT_EQ(-1, dax_mismatch(anon + PART, PART, 2 * PART, 7));
	EXPECT_EQ(-1, dax_mismatch(self->p, PART, 0, 0));
	EXPECT_EQ(-1, dax_mismatch(self->p + 2 * PART, MAP_LEN - 2 * PART, 2 * PART, 0));
}

/* Without O_DIRECT the kernel copies, whatever backs the mapping. */
TEST_F(map, buffered_io_works)
{
	char path[64];
	int fd;

	if (!dax.other)
		SKIP(return, "no OTHER file given");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", other_with(LEN, 7));
	fd = open(path, O_RDWR);
	ASSERT_LE(0, fd);
	ASSERT_EQ((ssize_t)LEN, pread(fd, self->p + AT, LEN, 0));
	EXPECT_EQ(-1, dax_mismatch(self->p + AT, LEN, 0, 7));
	ASSERT_EQ((ssize_t)PMD_SZ / 2, pwrite(fd, self->p, PMD_SZ / 2, 0));
	EXPECT_EQ(-1, dax_file_mismatch(fd, 0, PMD_SZ / 2, 0));
}

TEST_F(map, aio_read_into_the_mapping)
{
	struct iocb cb = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_buf = (uintptr_t)self->p + AT,
		.aio_nbytes = LEN,
	}, *cbs = &cb;
	struct io_event event = { 0 };
	aio_context_t ctx = 0;

	if (!dax.other)
		SKIP(return, "no OTHER file given");
	if (syscall(SYS_io_setup, 1, &ctx))
		SKIP(return, "kernel without AIO");
	cb.aio_fildes = other_with(LEN, 7);
	ASSERT_EQ(1, syscall(SYS_io_submit, ctx, 1, &cbs));
	ASSERT_EQ(1, syscall(SYS_io_getevents, ctx, 1, 1, &event, NULL));
	EXPECT_EQ((long)LEN, (long)event.res);
	expect_read_at(_metadata, self->p, self->fd);
}

DAX_TEST_MAIN
