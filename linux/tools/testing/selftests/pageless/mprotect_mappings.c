// SPDX-License-Identifier: GPL-2.0
/*
 * mprotect() of DAX mappings takes effect at once, on exactly its range, and
 * can be undone.  If a 2 MiB entry kept its write bit, a database's guard
 * against stray stores would guard nothing.
 */
#include "dax_fixture.h"

#define RW (PROT_READ | PROT_WRITE)

TEST_F(map, read_only_and_back)
{
	ASSERT_EQ(0, mprotect(self->p, MAP_LEN, PROT_READ));
	EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 0));
	EXPECT_EQ(SIGSEGV, dax_try_store(self->p, 1));
	EXPECT_EQ(SIGSEGV, dax_try_store(self->p + MAP_LEN - 1, 1));
	ASSERT_EQ(0, mprotect(self->p, MAP_LEN, RW));
	dax_fill(self->p, MAP_LEN, 0, 1);
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 1));
}

TEST_F(map, no_access_and_back)
{
	ASSERT_EQ(0, mprotect(self->p, MAP_LEN, PROT_NONE));
	EXPECT_EQ(SIGSEGV, dax_try_load(self->p + PMD_SZ));
	ASSERT_EQ(0, mprotect(self->p, MAP_LEN, RW));
	EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 0));
	dax_fill(self->p, MAP_LEN, 0, 2);
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 2));
}

TEST_F(map, part_of_a_chunk)
{
	size_t off = PMD_SZ + 7 * PAGE_SZ, end = off + PAGE_SZ;

	ASSERT_EQ(0, mprotect(self->p + off, PAGE_SZ, PROT_READ));
	EXPECT_EQ(SIGSEGV, dax_try_store(self->p + off, 1));
	dax_fill(self->p, off, 0, 3);
	dax_fill(self->p + end, MAP_LEN - end, end, 3);
	EXPECT_EQ(-1, dax_mismatch(self->p + off, PAGE_SZ, off, 0));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, off, 3));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, off, PAGE_SZ, 0));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, end, MAP_LEN - end, 3));
	ASSERT_EQ(0, mprotect(self->p + off, PAGE_SZ, RW));
	EXPECT_EQ(0, dax_try_store(self->p + off, 1));
}

/* A mapping opened for reading must not become writable. */
TEST_F(map, read_only_file_stays_read_only)
{
	char path[64];
	char *q;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	fd = open(path, O_RDONLY);
	ASSERT_LE(0, fd);
	q = dax_map(fd, 0, MAP_LEN, PROT_READ, MAP_SHARED, variant->huge);
	ASSERT_EQ(0, dax_try_load(q));
	EXPECT_EQ(EACCES, ERRNO_OF(mprotect(q, MAP_LEN, RW)));
	EXPECT_EQ(SIGSEGV, dax_try_store(q, 1));
}

TEST_F(map, private_mapping_made_writable_copies)
{
	char *q = dax_map(self->fd, 0, MAP_LEN, PROT_READ, MAP_PRIVATE, variant->huge);

	EXPECT_EQ(-1, dax_mismatch(q, MAP_LEN, 0, 0));
	ASSERT_EQ(0, mprotect(q, MAP_LEN, RW));
	dax_fill(q, PMD_SZ, 0, 4);
	EXPECT_EQ(-1, dax_mismatch(q, PMD_SZ, 0, 4));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 0));
}

DAX_TEST_MAIN
