// SPDX-License-Identifier: GPL-2.0
/*
 * Direct I/O that must fail or end early does so with a DAX mapping exactly as
 * with anonymous memory: misaligned, not permitted, not mapped, beyond the end of
 * the file.  Programs act on the errno and on the short count.
 *
 * The shadow goes through the same code as the mapping in a process that has such
 * a mapping, so results are also compared with what an unpatched kernel gives:
 * those of block devices, since file systems may fall back to buffered I/O.
 */
#include "direct_fixture.h"

#define LEN	(16 * PAGE_SZ)
#define AT	(PMD_SZ - LEN / 2)

static void expect_of_device(struct __test_metadata *_metadata, struct _test_data_direct *self,
			     const struct transfer *t, ssize_t wanted)
{
	ssize_t got = expect_same_result(_metadata, self, t);

	WHEN(is_block_device(self->other), EXPECT_EQ(wanted, got));
}

static void both_ways(struct __test_metadata *_metadata, struct _test_data_direct *self,
		      struct transfer t, ssize_t wanted)
{
	for (int write = 0; write < 2; write++) {
		t.write = write;
		expect_of_device(_metadata, self, &t, wanted);
		ASSERT_TRUE(same_bytes(self, 0, MAP_LEN));
	}
}

TEST_F(direct, misaligned_address)
{
	struct transfer t = { .nr = 1, .part = { { AT + 1, LEN } } };

	both_ways(_metadata, self, t, -EINVAL);
	t.part[0].at = AT + self->align / 2;
	both_ways(_metadata, self, t, -EINVAL);
	t.part[0].at = PMD_SZ - 1;
	both_ways(_metadata, self, t, -EINVAL);
}

TEST_F(direct, misaligned_length_or_offset)
{
	struct transfer t = { .nr = 1, .part = { { AT, LEN + 1 } } };

	both_ways(_metadata, self, t, -EINVAL);
	t.part[0].len = self->block / 2;
	both_ways(_metadata, self, t, -EINVAL);
	t.part[0].len = LEN;
	t.off = self->block / 2;
	both_ways(_metadata, self, t, -EINVAL);
}

TEST_F(direct, misaligned_vector)
{
	struct transfer t = {
		.nr = 3,
		.part = { { 0, LEN }, { AT + 1, LEN }, { 2 * PMD_SZ, LEN } },
	};

	both_ways(_metadata, self, t, -EINVAL);
	/* Aligned in sum only. */
	t.part[1].at = AT;
	t.part[0].len = t.part[1].len = LEN + self->block / 2;
	both_ways(_metadata, self, t, -EINVAL);
}

TEST_F(direct, nothing_and_empty_vectors)
{
	struct transfer t = { .nr = 1, .part = { { AT, 0 } } };

	both_ways(_metadata, self, t, 0);
	t = (struct transfer){ .nr = 3, .part = { { AT, 0 }, { 0, LEN }, { AT, 0 } } };
	both_ways(_metadata, self, t, LEN);
}

TEST_F(direct, read_only_mapping)
{
	struct transfer t = { .nr = 1, .part = { { AT, LEN } } };

	for (int touched = 0; touched < 2; touched++) {
		self->p = dax_map(self->fd, 0, MAP_LEN, PROT_READ, MAP_SHARED, variant->huge);
		ASSERT_EQ(0, mprotect(self->shadow, MAP_LEN, PROT_READ));
		WHEN(touched, ASSERT_EQ(0, dax_try_load(self->p + AT)));
		EXPECT_EQ(-EFAULT, expect_same_result(_metadata, self, &t));
		ASSERT_TRUE(same_bytes(self, 0, MAP_LEN));
	}
	t.write = true;
	expect_all(_metadata, self, &t);
}

TEST_F(direct, no_access)
{
	struct transfer t = { .nr = 1, .part = { { AT, LEN } } };
	char *at = self->p + AT, *shadow = self->shadow + AT;

	for (int write = 0; write < 2; write++) {
		t.write = write;
		ASSERT_EQ(0, mprotect(at, LEN, PROT_NONE) | mprotect(shadow, LEN, PROT_NONE));
		EXPECT_EQ(-EFAULT, expect_same_result(_metadata, self, &t));
		ASSERT_EQ(0, mprotect(at, LEN, PROT_READ | PROT_WRITE) |
			     mprotect(shadow, LEN, PROT_READ | PROT_WRITE));
		ASSERT_TRUE(same_bytes(self, 0, MAP_LEN));
	}
}

/* The same page is missing in both; what lies before may be transferred. */
static void missing_page(struct __test_metadata *_metadata, struct _test_data_direct *self,
			 size_t missing)
{
	struct transfer t = { .nr = 1, .part = { { AT, LEN } } };

	ASSERT_EQ(0, munmap(self->p + missing, PAGE_SZ) | munmap(self->shadow + missing, PAGE_SZ));
	for (int write = 0; write < 2; write++) {
		t.write = write;
		expect_of_device(_metadata, self, &t, missing > AT ? (ssize_t)(missing - AT) : -EFAULT);
		ASSERT_TRUE(same_bytes(self, 0, missing));
		ASSERT_TRUE(same_bytes(self, missing + PAGE_SZ, MAP_LEN - missing - PAGE_SZ));
	}
}

TEST_F(direct, first_page_is_not_mapped)
{
	missing_page(_metadata, self, AT);
}

TEST_F(direct, page_before_the_chunk_edge_is_not_mapped)
{
	missing_page(_metadata, self, PMD_SZ - PAGE_SZ);
}

TEST_F(direct, page_after_the_chunk_edge_is_not_mapped)
{
	missing_page(_metadata, self, PMD_SZ);
}

TEST_F(direct, last_page_is_not_mapped)
{
	missing_page(_metadata, self, AT + LEN - PAGE_SZ);
}

/* What would be SIGBUS to the CPU. */
TEST_F(direct, beyond_the_end_of_the_file)
{
	struct transfer t = { .nr = 1, .part = { { PMD_SZ, LEN } } };

	ASSERT_EQ(0, ftruncate(self->fd, PMD_SZ));
	ASSERT_EQ(0, munmap(self->shadow + PMD_SZ, MAP_LEN - PMD_SZ));
	for (int write = 0; write < 2; write++) {
		t.write = write;
		t.part[0].at = PMD_SZ;
		EXPECT_EQ(-EFAULT, expect_same_result(_metadata, self, &t));
		t.part[0].at = AT;
		expect_of_device(_metadata, self, &t, PMD_SZ - AT);
		ASSERT_TRUE(same_bytes(self, 0, PMD_SZ));
	}
	ASSERT_EQ(0, ftruncate(self->fd, MAP_LEN));
	EXPECT_EQ((ssize_t)LEN, pread(self->other, self->p + PMD_SZ, LEN, 0));
	read_other(self->other, self->back, LEN, 0);
	EXPECT_EQ(0, memcmp(self->p + PMD_SZ, self->back, LEN));
}

/* A private mapping is copied before it is written to; the file stays as it is. */
TEST_F(direct, private_mapping)
{
	struct transfer t = { .nr = 1, .part = { { AT, LEN } } };

	for (int copied = 0; copied < 2; copied++) {
		self->p = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE,
				  variant->huge);
		dax_fill(self->shadow, MAP_LEN, 0, 0);
		if (copied) {
			/* Some pages are DRAM already. */
			dax_fill(self->p + PMD_SZ - PAGE_SZ, 3 * PAGE_SZ, 0, 3);
			dax_fill(self->shadow + PMD_SZ - PAGE_SZ, 3 * PAGE_SZ, 0, 3);
		} else {
			ASSERT_EQ(0, dax_try_load(self->p + AT));
		}
		t.write = true;
		expect_all(_metadata, self, &t);
		t.write = false;
		t.off = PMD_SZ;
		expect_all(_metadata, self, &t);
		EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 0));
	}
}

DAX_TEST_MAIN
