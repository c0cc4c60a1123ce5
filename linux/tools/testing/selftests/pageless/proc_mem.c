// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/PID/mem reads and writes DAX mappings, across pages and 2 MiB chunks.
 * Debuggers, profilers and checkpointing move memory that way; a short count
 * or wrong bytes at a boundary would go unnoticed.
 */
#include "dax_fixture.h"

static int open_mem(struct __test_metadata *_metadata)
{
	int fd = open("/proc/self/mem", O_RDWR);

	ASSERT_LE(0, fd);
	return fd;
}

TEST_F(map, read_all_of_it)
{
	char *buf = malloc(MAP_LEN);
	int mem = open_mem(_metadata);

	ASSERT_EQ((ssize_t)MAP_LEN, pread(mem, buf, MAP_LEN, (off_t)self->p));
	EXPECT_EQ(-1, dax_mismatch(buf, MAP_LEN, 0, 0));
	free(buf);
}

TEST_F(map, read_across_a_boundary_at_odd_offsets)
{
	char buf[3 * PAGE_SZ];
	int mem = open_mem(_metadata);

	for (size_t len = 1; len < sizeof(buf); len += 997) {
		char *from = self->p + PMD_SZ - len / 2 - 1;

		ASSERT_EQ((ssize_t)len, pread(mem, buf, len, (off_t)from));
		EXPECT_EQ(0, memcmp(buf, from, len));
	}
}

TEST_F(map, write_reaches_the_file)
{
	size_t off = PMD_SZ - 2 * PAGE_SZ - 8, len = 4 * PAGE_SZ;
	int mem = open_mem(_metadata);
	char buf[4 * PAGE_SZ];

	dax_fill(buf, len, off, 1);
	ASSERT_EQ((ssize_t)len, pwrite(mem, buf, len, (off_t)(self->p + off)));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, off, 0));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, off, len, 1));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, off + len, MAP_LEN - off - len, 0));
}

TEST_F(map, private_write_stays_private)
{
	char *q = dax_map(self->fd, 0, MAP_LEN, PROT_READ, MAP_PRIVATE, variant->huge);
	int mem = open_mem(_metadata);
	char buf[2 * PAGE_SZ];

	ASSERT_EQ(0, dax_try_load(q));
	dax_fill(buf, sizeof(buf), PAGE_SZ, 2);
	ASSERT_EQ((ssize_t)sizeof(buf), pwrite(mem, buf, sizeof(buf), (off_t)(q + PAGE_SZ)));
	EXPECT_EQ(-1, dax_mismatch(q + PAGE_SZ, sizeof(buf), PAGE_SZ, 2));
	EXPECT_EQ(-1, dax_mismatch(q, PAGE_SZ, 0, 0));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 0));
}

TEST_F(map, shared_read_only_is_refused)
{
	char *q = dax_map(self->fd, 0, MAP_LEN, PROT_READ, MAP_SHARED, variant->huge);
	int mem = open_mem(_metadata);

	EXPECT_EQ(EIO, ERRNO_OF(pwrite(mem, "x", 1, (off_t)q)));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 0));
}

TEST_F(map, stops_at_the_end_of_the_mapping)
{
	int mem = open_mem(_metadata);
	char buf[2 * PAGE_SZ];

	ASSERT_EQ(0, munmap(self->p + PMD_SZ, PAGE_SZ));
	EXPECT_EQ((ssize_t)PAGE_SZ, pread(mem, buf, sizeof(buf), (off_t)(self->p + PMD_SZ - PAGE_SZ)));
	EXPECT_EQ(-1, dax_mismatch(buf, PAGE_SZ, PMD_SZ - PAGE_SZ, 0));
	EXPECT_EQ(EIO, ERRNO_OF(pread(mem, buf, 1, (off_t)(self->p + PMD_SZ))));
}

DAX_TEST_MAIN
