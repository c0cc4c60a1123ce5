/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A page-less range for KUnit tests that move data: nothing is behind its physical
 * addresses, so its addresses in the linear map are made to reach ordinary pages.
 */
#ifndef _PAGELESS_TESTS_BACKED_RANGE_H
#define _PAGELESS_TESTS_BACKED_RANGE_H

#include <kunit/test.h>
#include <linux/ioport.h>
#include <linux/memory_hotplug.h>
#include <linux/pageless.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>

static phys_addr_t unused_addresses(struct kunit *test)
{
	phys_addr_t base, end = mhp_get_pluggable_range(true).end;

	/* From 512 GiB on: above the RAM and the NVDIMMs of the lab's small machines. */
	for (base = 512ULL * SZ_1G; base < end - SZ_1G; base += SZ_1G)
		if (region_intersects(base, SZ_1G, 0, IORES_DESC_NONE) == REGION_DISJOINT)
			return base;
	kunit_skip(test, "no free physical addresses");
	return 0;
}

/* A range of @nr frames that reach @pages, which are allocated in reverse order. */
static void backed_range_register(struct kunit *test, struct pageless_range *range,
				  struct page **pages, int nr)
{
	unsigned long addr;
	int i;

	for (i = nr - 1; i >= 0; i--) {
		pages[i] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		KUNIT_ASSERT_NOT_NULL(test, pages[i]);
	}
	*range = (struct pageless_range) {
		.start = unused_addresses(test) + PAGE_SIZE,
		.size = nr * PAGE_SIZE,
		.name = "kunit",
		.nid = NUMA_NO_NODE,
	};
	if (pageless_register(range)) {
		range->size = 0;
		KUNIT_FAIL_AND_ABORT(test, "no page-less range");
	}
	addr = (unsigned long)__va(range->start);
	vunmap_range(addr, addr + range->size);
	for (i = 0; i < nr; i++, addr += PAGE_SIZE)
		KUNIT_ASSERT_EQ(test, 0, vmap_page_range(addr, addr + PAGE_SIZE,
							 page_to_phys(pages[i]), PAGE_KERNEL));
}

/* Unregistering unmaps whatever is there. For a test that stopped half-way, too. */
static void backed_range_unregister(struct pageless_range *range, struct page **pages, int nr)
{
	int i;

	if (range->size)
		pageless_unregister(range);
	for (i = 0; i < nr; i++)
		if (pages[i])
			__free_page(pages[i]);
}

#endif /* _PAGELESS_TESTS_BACKED_RANGE_H */
