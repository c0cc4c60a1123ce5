// SPDX-License-Identifier: GPL-2.0
/*
 * Stores to a MAP_PRIVATE mapping of a DAX file go to a copy in DRAM, page by
 * page, and the rest goes on showing the file.  If the store hit the device
 * instead, running a program from DAX with a debugger would change the program.
 */
#include "dax_fixture.h"

static char *map_private(int fd, int prot, bool huge)
{
	return dax_map(fd, 0, MAP_LEN, prot, MAP_PRIVATE, huge);
}

TEST_F(map, private_store_stays_private)
{
	char *q = map_private(self->fd, PROT_READ | PROT_WRITE, variant->huge);
	size_t off = PMD_SZ + 5 * PAGE_SZ;

	EXPECT_EQ(-1, dax_mismatch(q, MAP_LEN, 0, 0));
	ASSERT_LEVEL(variant->huge ? DAX_2M : DAX_4K, q + PMD_SZ);
	dax_fill(q + off, PAGE_SZ, off, 1);
	ASSERT_LEVEL(DAX_4K, q + off);
	ASSERT_LEVEL(variant->huge ? DAX_2M : DAX_4K, q);
	EXPECT_EQ(-1, dax_mismatch(q + off, PAGE_SZ, off, 1));
	EXPECT_EQ(-1, dax_mismatch(q, off, 0, 0));
	EXPECT_EQ(-1, dax_mismatch(q + off + PAGE_SZ, MAP_LEN - off - PAGE_SZ, off + PAGE_SZ, 0));
	EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 0));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 0));
}

/* One byte: the rest of the page must be a copy of the file's. */
TEST_F(map, store_without_load_copies_the_page)
{
	char *q = map_private(self->fd, PROT_READ | PROT_WRITE, variant->huge);

	q[PAGE_SZ + 7] ^= 1;
	q[PAGE_SZ + 7] ^= 1;
	EXPECT_EQ(-1, dax_mismatch(q, PMD_SZ, 0, 0));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 0));
}

TEST_F(map, every_page_of_a_chunk_is_copied)
{
	char *q = map_private(self->fd, PROT_READ | PROT_WRITE, variant->huge);

	dax_fill(q, PMD_SZ, 0, 2);
	EXPECT_EQ(-1, dax_mismatch(q, PMD_SZ, 0, 2));
	EXPECT_EQ(-1, dax_mismatch(q + PMD_SZ, 2 * PMD_SZ, PMD_SZ, 0));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 0));
	/* Dropping the copies brings the file back. */
	ASSERT_EQ(0, madvise(q, PMD_SZ, MADV_DONTNEED));
	EXPECT_EQ(-1, dax_mismatch(q, PMD_SZ, 0, 0));
}

TEST_F(map, unwritten_private_pages_follow_the_file)
{
	char *q = map_private(self->fd, PROT_READ, variant->huge);

	EXPECT_EQ(-1, dax_mismatch(q, MAP_LEN, 0, 0));
	ASSERT_LEVEL(variant->huge ? DAX_2M : DAX_4K, q);
	dax_fill(self->p, MAP_LEN, 0, 3);
	EXPECT_EQ(-1, dax_mismatch(q, MAP_LEN, 0, 3));
	EXPECT_EQ(SIGSEGV, dax_try_store(q, 1));
}

TEST_F(map, private_copy_after_fork)
{
	char *q = map_private(self->fd, PROT_READ | PROT_WRITE, variant->huge);
	pid_t pid;

	dax_fill(q, PAGE_SZ, 0, 4);
	pid = fork();
	if (!pid) {
		bool ok = dax_mismatch(q, PAGE_SZ, 0, 4) < 0 &&
			  dax_mismatch(q + PAGE_SZ, PMD_SZ, PAGE_SZ, 0) < 0;

		dax_fill(q, 2 * PAGE_SZ, 0, 5);
		_exit(!ok || dax_mismatch(q, 2 * PAGE_SZ, 0, 5) >= 0);
	}
	EXPECT_EQ(0, dax_wait(pid));
	EXPECT_EQ(-1, dax_mismatch(q, PAGE_SZ, 0, 4));
	EXPECT_EQ(-1, dax_mismatch(q + PAGE_SZ, PMD_SZ, PAGE_SZ, 0));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 0));
}

/* The kernel's own stores, by read(), are copied as well. */
TEST_F(map, read_into_a_private_mapping)
{
	char *q = map_private(self->fd, PROT_READ | PROT_WRITE, variant->huge);

	ASSERT_EQ((ssize_t)PAGE_SZ, pread(self->fd, q, PAGE_SZ, PMD_SZ));
	EXPECT_EQ(-1, dax_mismatch(q, PAGE_SZ, PMD_SZ, 0));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, PAGE_SZ, 0));
}

DAX_TEST_MAIN
