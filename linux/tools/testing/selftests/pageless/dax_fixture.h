/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fixture of most page-less DAX tests: one file of three 2 MiB chunks,
 * mapped shared and already faulted in, once by 4 KiB (variant pte) and once by
 * 2 MiB entries (variant pmd).
 */
#ifndef DAX_FIXTURE_H
#define DAX_FIXTURE_H

#include <fcntl.h>
#include <sys/mman.h>
#include "kselftest_harness.h"
#include "dax_test.h"

/* An emulated guest with KASAN is slow. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 120

#define MAP_LEN (3 * PMD_SZ)

/* A program of which every test was skipped has not passed. */
static void exit_skip_if_all_skipped(void)
{
	fflush(stdout);
	if (ksft_plan && ksft_cnt.ksft_xskip == ksft_plan)
		_exit(KSFT_SKIP);
}

#define DAX_TEST_MAIN					\
	int main(int argc, char **argv)			\
	{						\
		dax_init(argc, argv);			\
		atexit(exit_skip_if_all_skipped);	\
		exit(test_harness_run(argc, argv));	\
	}

/* The harness's macros do not stand as the statement of an if. */
#define WHEN(cond, check) do {	\
		if (cond) {	\
			check;	\
		}		\
	} while (0)

#define ASSERT_LEVEL(level, p) \
	WHEN(dax.check, ASSERT_EQ((int)(level), (int)dax_level(p)))

/* An errno after a call that returned -1, or 0 after success. */
#define ERRNO_OF(call) ((call) < 0 ? errno : 0)

/* Map the three chunks of a file, fault them in, and see at which level that was. */
static char *map_chunks(struct __test_metadata *_metadata, int fd, bool huge)
{
	char *p = dax_map(fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, huge);

	dax_populate(p, MAP_LEN);
	for (size_t off = 0; off < MAP_LEN; off += PMD_SZ)
		ASSERT_LEVEL(huge ? DAX_2M : DAX_4K, p + off);
	return p;
}

FIXTURE(map)
{
	int fd;
	char *p;
};

FIXTURE_VARIANT(map)
{
	bool huge;
};

FIXTURE_VARIANT_ADD(map, pte)
{
	.huge = false,
};

FIXTURE_VARIANT_ADD(map, pmd)
{
	.huge = true,
};

FIXTURE_SETUP(map)
{
	self->fd = dax_create(MAP_LEN);
	if (variant->huge && !dax_huge_extents(self->fd))
		SKIP(return, "no 2 MiB aligned extents: see mkfs.xfs su=2m, mkfs.ext4 stride=512");
	self->p = map_chunks(_metadata, self->fd, variant->huge);
}

FIXTURE_TEARDOWN(map)
{
	munmap(self->p, MAP_LEN);
	close(self->fd);
}

#endif /* DAX_FIXTURE_H */
