// SPDX-License-Identifier: GPL-2.0
/*
 * Every madvise() advice is taken or refused on a DAX mapping as upstream does
 * it, and none loses data.  Those that look for a page behind the entry
 * (MADV_COLD, MADV_PAGEOUT, ...) must not oops where there is none.
 */
#include <sys/syscall.h>
#include "dax_fixture.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

struct advice {
	int value;
	const char *name;
	int may_fail;		/* an errno that is right, too */
	int must_fail;		/* the errno that alone is right */
};

#define ADVICE(a, ...) { MADV_##a, #a, __VA_ARGS__ }

static const struct advice advices[] = {
	ADVICE(NORMAL, 0, 0), ADVICE(RANDOM, 0, 0), ADVICE(SEQUENTIAL, 0, 0),
	ADVICE(WILLNEED, 0, 0), ADVICE(DONTNEED, 0, 0),
	ADVICE(POPULATE_READ, 0, 0), ADVICE(POPULATE_WRITE, 0, 0),
	ADVICE(COLD, 0, 0), ADVICE(PAGEOUT, 0, 0),
	ADVICE(DONTFORK, 0, 0), ADVICE(DOFORK, 0, 0), ADVICE(KEEPONFORK, 0, 0),
	ADVICE(DONTDUMP, 0, 0), ADVICE(DODUMP, 0, 0),
	/* EINVAL where the kernel has no KSM or no transparent huge pages */
	ADVICE(MERGEABLE, EINVAL, 0), ADVICE(UNMERGEABLE, EINVAL, 0),
	ADVICE(HUGEPAGE, EINVAL, 0), ADVICE(NOHUGEPAGE, EINVAL, 0),
	/* for anonymous memory only */
	ADVICE(FREE, 0, EINVAL), ADVICE(WIPEONFORK, 0, EINVAL),
	/* file-backed huge pages come from the page cache, not from DAX */
	ADVICE(COLLAPSE, 0, EINVAL),
	{ 12345, "unknown", 0, EINVAL },
};

static bool right_errno(const struct advice *a, int err)
{
	if (!dax.check && a->value == MADV_COLLAPSE)
		return true;
	if (a->must_fail)
		return err == a->must_fail;
	return !err || err == a->may_fail;
}

static void expect_intact(struct __test_metadata *_metadata, char *p, int fd, const char *name,
			  int seed)
{
	EXPECT_EQ(-1, dax_mismatch(p, MAP_LEN, 0, seed)) TH_LOG("after %s", name);
	dax_fill(p, MAP_LEN, 0, seed + 1);
	EXPECT_EQ(-1, dax_file_mismatch(fd, 0, MAP_LEN, seed + 1)) TH_LOG("after %s", name);
}

TEST_F(map, every_advice_keeps_the_data)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(advices); i++) {
		const struct advice *a = &advices[i];
		int err = ERRNO_OF(madvise(self->p, MAP_LEN, a->value));

		EXPECT_TRUE(right_errno(a, err)) TH_LOG("%s: errno %d", a->name, err);
		expect_intact(_metadata, self->p, self->fd, a->name, i);
	}
}

/* From the middle of one 2 MiB entry to the middle of the next. */
TEST_F(map, every_advice_on_part_of_a_chunk)
{
	char *part = self->p + PMD_SZ / 2 + PAGE_SZ;

	for (unsigned int i = 0; i < ARRAY_SIZE(advices); i++) {
		const struct advice *a = &advices[i];
		int err = ERRNO_OF(madvise(part, PMD_SZ, a->value));

		EXPECT_TRUE(right_errno(a, err)) TH_LOG("%s: errno %d", a->name, err);
		expect_intact(_metadata, self->p, self->fd, a->name, i);
	}
}

TEST_F(map, every_advice_on_a_private_mapping)
{
	char *q = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE,
			  variant->huge);

	for (unsigned int i = 0; i < ARRAY_SIZE(advices); i++) {
		const struct advice *a = &advices[i];

		EXPECT_EQ(-1, dax_mismatch(q, MAP_LEN, 0, 0)) TH_LOG("before %s", a->name);
		/* Some file pages, some private copies of equal content. */
		dax_fill(q + PMD_SZ, PAGE_SZ, PMD_SZ, 0);
		madvise(q, MAP_LEN, a->value);
	}
	EXPECT_EQ(-1, dax_mismatch(q, MAP_LEN, 0, 0));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 0));
}

TEST_F(map, process_madvise_keeps_the_data)
{
	static const int value[] = {
		MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED, MADV_COLLAPSE
	};
	struct iovec iov = { .iov_base = self->p, .iov_len = MAP_LEN };
	int pidfd = syscall(SYS_pidfd_open, getpid(), 0);

	ASSERT_LE(0, pidfd);
	for (unsigned int i = 0; i < ARRAY_SIZE(value); i++) {
		long n = syscall(SYS_process_madvise, pidfd, &iov, 1, value[i], 0);

		if (value[i] == MADV_COLLAPSE && dax.check) {
			EXPECT_EQ(-1, n);
			EXPECT_EQ(EINVAL, errno);
		} else if (value[i] != MADV_COLLAPSE) {
			EXPECT_EQ((long)MAP_LEN, n) TH_LOG("advice %d", value[i]);
		}
		expect_intact(_metadata, self->p, self->fd, "process_madvise", i);
	}
}

DAX_TEST_MAIN
