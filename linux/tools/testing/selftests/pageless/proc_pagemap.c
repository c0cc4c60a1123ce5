// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/PID/pagemap, PAGEMAP_SCAN and the /proc/kpage* files report DAX memory
 * as present, with its pfns, at both levels.  Checkpointing and memory-error
 * tools rely on them; looking up a page that is not there would oops.
 */
#include "dax_fixture.h"

#define EVERY_CATEGORY (PAGE_IS_WPALLOWED | PAGE_IS_WRITTEN | PAGE_IS_FILE | PAGE_IS_PRESENT | \
			PAGE_IS_SWAPPED | PAGE_IS_PFNZERO | PAGE_IS_HUGE)
#define KPF_NOPAGE (1ULL << 20)

TEST_F(map, pagemap_says_present)
{
	EXPECT_TRUE(dax_all_present(self->p, MAP_LEN));
}

/* Under a 2 MiB entry as well, each page has its own pfn. */
TEST_F(map, pagemap_gives_each_page_its_pfn)
{
	uint64_t entry[PMD_SZ / PAGE_SZ], first = dax_pagemap(self->p) & PM_PFN_MASK;

	if (!first)
		SKIP(return, "pfns are shown to CAP_SYS_ADMIN only");
	if (!dax.check)
		SKIP(return, "page cache pages lie anywhere");
	if (!dax_huge_extents(self->fd))
		SKIP(return, "the file is not contiguous");
	EXPECT_EQ(0UL, first % (PMD_SZ / PAGE_SZ));
	dax_pagemap_range(self->p, entry, ARRAY_SIZE(entry));
	for (size_t i = 0; i < ARRAY_SIZE(entry); i++)
		ASSERT_EQ(first + i, entry[i] & PM_PFN_MASK);
	for (size_t i = 0; i < ARRAY_SIZE(entry); i += 7)
		ASSERT_EQ(entry[i], dax_pagemap(self->p + i * PAGE_SZ));
}

TEST_F(map, pagemap_scan_sees_one_region)
{
	struct page_region region[16] = { 0 };
	struct pm_scan_arg arg = {
		.start = (uintptr_t)self->p,
		.end = (uintptr_t)self->p + MAP_LEN,
		.vec = (uintptr_t)region,
		.vec_len = 16,
		.category_mask = PAGE_IS_PRESENT,
		.return_mask = EVERY_CATEGORY,
	};
	uint64_t end = arg.start;
	int n = dax_pagemap_scan(&arg);

	ASSERT_LT(0, n) TH_LOG("PAGEMAP_SCAN: %s", strerror(errno));
	for (int i = 0; i < n; i++) {
		EXPECT_EQ(end, region[i].start);
		EXPECT_FALSE(!!(region[i].categories & (PAGE_IS_SWAPPED | PAGE_IS_PFNZERO)));
		end = region[i].end;
	}
	EXPECT_EQ(arg.end, end);
	EXPECT_EQ(arg.end, arg.walk_end);
}

/* A scan for file pages must look for the page behind each entry. */
TEST_F(map, pagemap_scan_for_file_pages)
{
	struct page_region region[4];
	struct pm_scan_arg arg = {
		.start = (uintptr_t)self->p,
		.end = (uintptr_t)self->p + MAP_LEN,
		.vec = (uintptr_t)region,
		.vec_len = 4,
		.category_mask = PAGE_IS_FILE,
		.return_mask = PAGE_IS_FILE | PAGE_IS_HUGE,
	};

	EXPECT_LE(0, dax_pagemap_scan(&arg));
	EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 0));
}

/* DAX memory is not the page allocator's: no flags, no count, no cgroup. */
TEST_F(map, kpage_files_know_no_page)
{
	static const char * const path[] = {
		"/proc/kpageflags", "/proc/kpagecount", "/proc/kpagecgroup"
	};
	uint64_t pfn = dax_pagemap(self->p) & PM_PFN_MASK, value;

	if (!pfn)
		SKIP(return, "pfns are shown to CAP_SYS_ADMIN only");
	for (unsigned int i = 0; i < ARRAY_SIZE(path); i++) {
		int fd = open(path[i], O_RDONLY);
		ssize_t n;

		/* The last is there with CONFIG_MEMCG. */
		if (fd < 0 && i == 2)
			break;
		ASSERT_LE(0, fd) TH_LOG("%s: %s", path[i], strerror(errno));
		n = pread(fd, &value, 8, pfn * 8);
		/* 0: beyond the last page of RAM. */
		EXPECT_TRUE(n == 0 || n == 8) TH_LOG("%s: %zd", path[i], n);
		WHEN(dax.check && n == 8, EXPECT_EQ(i ? 0 : KPF_NOPAGE, value) TH_LOG("%s", path[i]));
		close(fd);
	}
}

DAX_TEST_MAIN
