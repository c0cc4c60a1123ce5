// SPDX-License-Identifier: GPL-2.0
/*
 * After a file is cloned, stores through a mapping of one copy do not change
 * the other, whether the mapping is older than the clone or not.  A missed
 * copy-on-write corrupts snapshots of virtual machine images and databases.
 */
#include "dax_fixture.h"

static const size_t stores[] = {
	0, 3 * PAGE_SZ + 8, PMD_SZ - 8, PMD_SZ, 2 * PMD_SZ + PMD_SZ / 2
};

FIXTURE(clone)
{
	int fd;
	int clone;
};

FIXTURE_VARIANT(clone)
{
	bool huge;
};

FIXTURE_VARIANT_ADD(clone, pte)
{
	.huge = false,
};

FIXTURE_VARIANT_ADD(clone, pmd)
{
	.huge = true,
};

FIXTURE_SETUP(clone)
{
	self->fd = dax_create(MAP_LEN);
	self->clone = dax_create_hole(0);
	if (ioctl(self->clone, FICLONE, self->fd) < 0 && errno == EOPNOTSUPP)
		SKIP(return, "filesystem without reflink");
	ASSERT_EQ(0, ioctl(self->clone, FICLONE, self->fd)) TH_LOG("%s", strerror(errno));
}

FIXTURE_TEARDOWN(clone)
{
	close(self->clone);
	close(self->fd);
}

static char *map_rw(int fd, bool huge)
{
	return dax_map(fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, huge);
}

static void expect_levels(struct __test_metadata *_metadata, const char *p, bool huge)
{
	for (size_t off = 0; off < MAP_LEN; off += PMD_SZ)
		ASSERT_LEVEL(huge ? DAX_2M : DAX_4K, p + off);
}

/* Store one word here and there: the rest has to be copied around it. */
static void store_words(char *p)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(stores); i++)
		dax_fill(p + stores[i], 8, stores[i], 1);
}

static void expect_stored_words(struct __test_metadata *_metadata, int fd)
{
	size_t at = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(stores); i++) {
		EXPECT_EQ(-1, dax_file_mismatch(fd, at, stores[i] - at, 0));
		EXPECT_EQ(-1, dax_file_mismatch(fd, stores[i], 8, 1));
		at = stores[i] + 8;
	}
	EXPECT_EQ(-1, dax_file_mismatch(fd, at, MAP_LEN - at, 0));
}

TEST_F(clone, store_to_the_source)
{
	char *p = map_rw(self->fd, variant->huge);

	store_words(p);
	expect_stored_words(_metadata, self->fd);
	EXPECT_EQ(-1, dax_file_mismatch(self->clone, 0, MAP_LEN, 0));
	ASSERT_EQ(0, fsync(self->fd));
	expect_stored_words(_metadata, self->fd);
	EXPECT_EQ(-1, dax_file_mismatch(self->clone, 0, MAP_LEN, 0));
}

TEST_F(clone, store_to_the_clone)
{
	char *p = map_rw(self->clone, variant->huge);

	EXPECT_EQ(-1, dax_mismatch(p, MAP_LEN, 0, 0));
	expect_levels(_metadata, p, variant->huge);
	store_words(p);
	/* A huge entry was copied as one. */
	expect_levels(_metadata, p, variant->huge);
	expect_stored_words(_metadata, self->clone);
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 0));
}

TEST_F(clone, store_to_both)
{
	char *p = map_rw(self->fd, variant->huge);
	char *q = map_rw(self->clone, variant->huge);

	EXPECT_EQ(-1, dax_mismatch(p, MAP_LEN, 0, 0));
	EXPECT_EQ(-1, dax_mismatch(q, MAP_LEN, 0, 0));
	dax_fill(p, MAP_LEN, 0, 2);
	dax_fill(q, MAP_LEN, 0, 3);
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 2));
	EXPECT_EQ(-1, dax_file_mismatch(self->clone, 0, MAP_LEN, 3));
}

/* Writable entries made before the clone must not be left writable. */
TEST_F(clone, mapping_older_than_the_clone)
{
	int fd = dax_create(MAP_LEN), clone = dax_create_hole(0);
	char *p = map_rw(fd, variant->huge);

	dax_populate(p, MAP_LEN);
	expect_levels(_metadata, p, variant->huge);
	ASSERT_EQ(0, ioctl(clone, FICLONE, fd));
	store_words(p);
	expect_stored_words(_metadata, fd);
	EXPECT_EQ(-1, dax_file_mismatch(clone, 0, MAP_LEN, 0));
}

TEST_F(clone, write_under_a_mapping)
{
	char *p = map_rw(self->fd, variant->huge);
	uint64_t buf[3 * PAGE_SZ / 8];
	size_t off = PMD_SZ - PAGE_SZ;

	EXPECT_EQ(-1, dax_mismatch(p, MAP_LEN, 0, 0));
	dax_fill(buf, sizeof(buf), off, 4);
	ASSERT_EQ((ssize_t)sizeof(buf), pwrite(self->fd, buf, sizeof(buf), off));
	EXPECT_EQ(-1, dax_mismatch(p + off, sizeof(buf), off, 4));
	EXPECT_EQ(-1, dax_mismatch(p, off, 0, 0));
	EXPECT_EQ(-1, dax_file_mismatch(self->clone, 0, MAP_LEN, 0));
}

/* Odd bytes: the write has to copy what it does not cover. */
TEST_F(clone, unaligned_write_copies_around)
{
	char byte = 0;

	ASSERT_EQ(1, pwrite(self->clone, "x", 1, PMD_SZ + 1001));
	ASSERT_EQ(1, pread(self->clone, &byte, 1, PMD_SZ + 1001));
	EXPECT_EQ('x', byte);
	EXPECT_EQ(-1, dax_file_mismatch(self->clone, 0, PMD_SZ + 1000, 0));
	EXPECT_EQ(-1, dax_file_mismatch(self->clone, PMD_SZ + 1008, PAGE_SZ, 0));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 0));
}

TEST_F(clone, private_mapping_of_shared_blocks)
{
	char *p = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE, variant->huge);

	EXPECT_EQ(-1, dax_mismatch(p, MAP_LEN, 0, 0));
	dax_fill(p, PMD_SZ, 0, 5);
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 0));
	EXPECT_EQ(-1, dax_file_mismatch(self->clone, 0, MAP_LEN, 0));
}

/* The last owner of the blocks keeps them. */
TEST_F(clone, source_goes_away)
{
	char *q = map_rw(self->clone, variant->huge);

	EXPECT_EQ(-1, dax_mismatch(q, MAP_LEN, 0, 0));
	ASSERT_EQ(0, ftruncate(self->fd, 0));
	EXPECT_EQ(-1, dax_mismatch(q, MAP_LEN, 0, 0));
	dax_fill(q, MAP_LEN, 0, 6);
	EXPECT_EQ(-1, dax_file_mismatch(self->clone, 0, MAP_LEN, 6));
}

DAX_TEST_MAIN
