// SPDX-License-Identifier: GPL-2.0
/*
 * userfaultfd: missing-page and minor-fault tracking of DAX mappings is refused,
 * asynchronous write protection keeps the data.  Both walk and change the page
 * tables; migration tools (CRIU, QEMU) try them on every mapping.
 */
#include <sys/syscall.h>
#include <linux/userfaultfd.h>
#include "dax_fixture.h"

/* Values of the kernel's uapi that Debian 12's headers lack. */
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC (1 << 15)
#endif
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif

/* A descriptor with @features, or -1. */
static int open_uffd(uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && !ioctl(fd, UFFDIO_API, &api))
		return fd;
	close(fd);
	return -1;
}

static int register_errno(int uffd, char *p, size_t len, uint64_t mode)
{
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)p, .len = len },
		.mode = mode,
	};

	return ERRNO_OF(ioctl(uffd, UFFDIO_REGISTER, &reg));
}

static int protect_errno(int uffd, char *p, size_t len, bool protect)
{
	struct uffdio_writeprotect wp = {
		.range = { .start = (uintptr_t)p, .len = len },
		.mode = protect ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return ERRNO_OF(ioctl(uffd, UFFDIO_WRITEPROTECT, &wp));
}

static bool written(const char *p)
{
	struct page_region region;
	struct pm_scan_arg arg = {
		.start = (uintptr_t)p,
		.end = (uintptr_t)p + PAGE_SZ,
		.vec = (uintptr_t)&region,
		.vec_len = 1,
		.category_mask = PAGE_IS_WRITTEN,
		.return_mask = PAGE_IS_WRITTEN,
	};

	return dax_pagemap_scan(&arg) == 1;
}

TEST_F(map, tracking_of_faults_is_refused)
{
	int uffd = open_uffd(0);

	if (uffd < 0)
		SKIP(return, "kernel without userfaultfd");
	if (!dax.check)
		SKIP(return, "tmpfs allows it, DAX does not");
	EXPECT_EQ(EINVAL, register_errno(uffd, self->p, MAP_LEN, UFFDIO_REGISTER_MODE_MISSING));
	EXPECT_EQ(EINVAL, register_errno(uffd, self->p, MAP_LEN, UFFDIO_REGISTER_MODE_MINOR));
	EXPECT_EQ(EINVAL, register_errno(uffd, self->p, MAP_LEN, UFFDIO_REGISTER_MODE_WP));
	EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 0));
}

TEST_F(map, write_protection_keeps_the_data)
{
	int uffd = open_uffd(UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED);

	/* The base kernel faults forever on such an entry. */
	if (variant->huge && !dax.gup_errno)
		SKIP(return, "upstream faults without end on 2 MiB entries with pages");
	if (uffd < 0)
		SKIP(return, "kernel without asynchronous write protection");
	if (dax.gup_errno) {
		/* VM_MIXEDMAP mappings are refused as a whole. */
		EXPECT_EQ(EINVAL, register_errno(uffd, self->p, MAP_LEN, UFFDIO_REGISTER_MODE_WP));
		EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 0));
		return;
	}
	ASSERT_EQ(0, register_errno(uffd, self->p, MAP_LEN, UFFDIO_REGISTER_MODE_WP));
	ASSERT_EQ(0, protect_errno(uffd, self->p, MAP_LEN, true));
	EXPECT_FALSE(written(self->p));
	EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 0));
	dax_fill(self->p, MAP_LEN, 0, 1);
	EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 1));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 1));
	ASSERT_EQ(0, protect_errno(uffd, self->p, MAP_LEN, false));
	dax_fill(self->p, MAP_LEN, 0, 2);
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 2));
	close(uffd);
	EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 2));
}

/* A part of a 2 MiB entry: it has to be split. */
TEST_F(map, write_protection_of_a_part)
{
	int uffd = open_uffd(UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED);
	char *part = self->p + PMD_SZ / 2;

	/* The base kernel faults forever on such an entry. */
	if (variant->huge && !dax.gup_errno)
		SKIP(return, "upstream faults without end on 2 MiB entries with pages");
	if (uffd < 0)
		SKIP(return, "kernel without asynchronous write protection");
	if (dax.gup_errno) {
		EXPECT_EQ(EINVAL, register_errno(uffd, part, PMD_SZ, UFFDIO_REGISTER_MODE_WP));
		return;
	}
	ASSERT_EQ(0, register_errno(uffd, part, PMD_SZ, UFFDIO_REGISTER_MODE_WP));
	ASSERT_EQ(0, protect_errno(uffd, part + PAGE_SZ, 2 * PAGE_SZ, true));
	EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 0));
	dax_fill(self->p, MAP_LEN, 0, 3);
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 3));
	close(uffd);
}

DAX_TEST_MAIN
