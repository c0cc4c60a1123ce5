// SPDX-License-Identifier: GPL-2.0
/*
 * The NUMA system calls leave DAX memory where it is, say so, and do not oops:
 * mbind(), move_pages(), migrate_pages(), get_mempolicy() and numa_maps walk the
 * page tables for pages.  Numactl and numad call them on any process.
 */
#include <sys/syscall.h>
#include <linux/mempolicy.h>
#include "dax_fixture.h"

#define PAGES 4

static const unsigned long node0 = 1;
static char text[1 << 20];

static bool no_numa(void)
{
	return access("/proc/self/numa_maps", R_OK);
}

/* The file is on one node; either the kernel agrees or it cannot move it. */
static bool bound_or_refused(char *p, size_t len, int flags)
{
	return !syscall(SYS_mbind, p, len, MPOL_BIND, &node0, 64, flags) || errno == EIO;
}

TEST_F(map, mbind)
{
	if (no_numa())
		SKIP(return, "kernel without NUMA");
	EXPECT_TRUE(bound_or_refused(self->p, MAP_LEN, 0));
	EXPECT_TRUE(bound_or_refused(self->p, MAP_LEN, MPOL_MF_STRICT));
	EXPECT_TRUE(bound_or_refused(self->p + PAGE_SZ, PMD_SZ - PAGE_SZ, MPOL_MF_STRICT));
	EXPECT_TRUE(bound_or_refused(self->p, MAP_LEN, MPOL_MF_MOVE));
	EXPECT_TRUE(bound_or_refused(self->p, MAP_LEN, MPOL_MF_STRICT | MPOL_MF_MOVE_ALL));
	EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 0));
	dax_fill(self->p, MAP_LEN, 0, 1);
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 1));
}

TEST_F(map, move_pages)
{
	int nodes[PAGES] = { 0 }, status[PAGES];
	void *pages[PAGES];

	if (no_numa())
		SKIP(return, "kernel without NUMA");
	for (int i = 0; i < PAGES; i++)
		pages[i] = self->p + PMD_SZ / 2 * i;
	/* Asking and moving: a node, or why there is none. */
	for (int move = 0; move < 2; move++) {
		memset(status, 0x55, sizeof(status));
		ASSERT_LE(0, syscall(SYS_move_pages, 0, PAGES, pages, move ? nodes : NULL,
				     status, MPOL_MF_MOVE));
		for (int i = 0; i < PAGES; i++) {
			EXPECT_LE(-4095, status[i]);
			EXPECT_GT(1024, status[i]);
		}
	}
	EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 0));
}

TEST_F(map, migrate_pages)
{
	unsigned long every_node = ~0UL;

	if (no_numa())
		SKIP(return, "kernel without NUMA");
	ASSERT_LE(0, syscall(SYS_migrate_pages, 0, 64, &every_node, &node0));
	EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 0));
}

TEST_F(map, get_mempolicy_of_an_address)
{
	int node = -1;
	long ret;

	if (no_numa())
		SKIP(return, "kernel without NUMA");
	ret = syscall(SYS_get_mempolicy, &node, NULL, 0, self->p, MPOL_F_NODE | MPOL_F_ADDR);
	if (dax.gup_errno) {
		EXPECT_EQ(-1, ret);
		EXPECT_EQ(dax.gup_errno, errno);
	} else {
		EXPECT_EQ(0, ret);
		EXPECT_LE(0, node);
	}
}

TEST_F(map, numa_maps_lists_the_mapping)
{
	char line[32];

	if (no_numa())
		SKIP(return, "kernel without NUMA");
	ASSERT_LT(0, dax_read_path("/proc/self/numa_maps", text, sizeof(text)));
	snprintf(line, sizeof(line), "%lx ", (unsigned long)self->p);
	EXPECT_NE(NULL, strstr(text, line));
}

DAX_TEST_MAIN
