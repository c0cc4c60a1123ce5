// SPDX-License-Identifier: GPL-2.0
/*
 * A DAX mapping as the buffer of direct I/O, of any size and at any address that
 * the file or device allows: the data arrives, and nothing around it changes.
 * A wrong extent here reads or writes someone else's memory.
 */
#include "direct_fixture.h"

static const size_t lens[] = {
	512, PAGE_SZ, PAGE_SZ + 512, 16 * PAGE_SZ, 17 * PAGE_SZ + 512, 256 * PAGE_SZ, PMD_SZ, 2 * PMD_SZ
};

/* The middle of the transfer is near the edge of a chunk. */
static void each_size(struct __test_metadata *_metadata, struct _test_data_direct *self, bool write)
{
	size_t shifts[] = { 0, self->align, PAGE_SZ / 2, PAGE_SZ - self->align };
	struct transfer t = { .write = write, .nr = 1 };

	for (unsigned int i = 0; i < ARRAY_SIZE(lens); i++) {
		if (lens[i] % self->block)
			continue;
		/* The first shift and the last for what takes long. */
		for (unsigned int j = 0; j < ARRAY_SIZE(shifts); j += lens[i] < PMD_SZ ? 1 : 3) {
			t.vectored = j % 2;
			t.part[0].len = lens[i];
			t.part[0].at = (PMD_SZ - lens[i] / 2) / PAGE_SZ * PAGE_SZ + shifts[j];
			t.off = (i * 4 + j) * self->block;
			expect_all(_metadata, self, &t);
		}
	}
}

TEST_F(direct, read_any_size)
{
	each_size(_metadata, self, false);
}

TEST_F(direct, write_any_size)
{
	each_size(_metadata, self, true);
}

/* More than one bio can hold. */
TEST_F(direct, whole_mapping_at_once)
{
	struct transfer t = { .nr = 1, .part = { { 0, MAP_LEN } } };

	expect_all(_metadata, self, &t);
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 7));
	t.write = true;
	t.off = self->block;
	expect_all(_metadata, self, &t);
}

/* Entries that the I/O itself has to fault in, some for writing and some anew. */
TEST_F(direct, untouched_mapping)
{
	struct transfer t = { .nr = 1, .part = { { PMD_SZ - 256 * PAGE_SZ, 512 * PAGE_SZ } } };

	ASSERT_EQ(0, fsync(self->fd));
	t.off = self->block;
	expect_all(_metadata, self, &t);
	for (int write = 0; write < 2; write++) {
		self->p = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
				  variant->huge);
		t.write = write;
		t.off = write ? 0 : 2 * self->block;
		expect_all(_metadata, self, &t);
	}
}

/* A hole is allocated by a read into it, and is zeroes to a write from it. */
TEST_F(direct, hole_of_the_file)
{
	struct transfer t = { .nr = 1, .part = { { PMD_SZ + PMD_SZ / 2, PMD_SZ } } };

	ASSERT_EQ(0, ftruncate(self->fd, 0));
	ASSERT_EQ(0, ftruncate(self->fd, MAP_LEN));
	memset(self->shadow, 0, MAP_LEN);
	t.write = true;
	expect_all(_metadata, self, &t);
	t.write = false;
	t.off = PMD_SZ;
	expect_all(_metadata, self, &t);
	ASSERT_EQ(0, fsync(self->fd));
	ASSERT_EQ((ssize_t)MAP_LEN, pread(self->fd, self->back, MAP_LEN, 0));
	EXPECT_EQ(0, memcmp(self->back, self->shadow, MAP_LEN));
}

TEST_F(direct, random_transfers)
{
	unsigned int seed = 4;

	for (int i = 0; i < 100; i++) {
		struct transfer t = random_transfer(self, &seed);

		expect_all(_metadata, self, &t);
	}
	/* The file has what the mapping has. */
	ASSERT_EQ((ssize_t)MAP_LEN, pread(self->fd, self->back, MAP_LEN, 0));
	EXPECT_EQ(0, memcmp(self->back, self->shadow, MAP_LEN));
	expect_no_pins(_metadata);
}

DAX_TEST_MAIN
