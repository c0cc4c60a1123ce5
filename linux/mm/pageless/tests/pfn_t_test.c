// SPDX-License-Identifier: GPL-2.0
/*
 * pfn_t: every flag with every frame number, up to the largest one. Built for
 * 32-bit kernels too, where frames above 4 GiB fit because pfn_t is a u64.
 */
#include <kunit/test.h>
#include <linux/pfn_t.h>

static const u64 pfn_t_flags[] = {
	0, PFN_SG_CHAIN, PFN_SG_LAST, PFN_DEV, PFN_MAP, PFN_DEV | PFN_MAP,
	PFN_DEV | PFN_SG_LAST, PFN_DEV | PFN_MAP | PFN_SG_CHAIN | PFN_SG_LAST,
	PFN_FLAGS_MASK,
};

/* The largest frame number that an address of the architecture can have. */
static unsigned long pfn_t_largest(void)
{
	return PHYS_PFN((phys_addr_t)-1) & ~(unsigned long)PFN_FLAGS_MASK;
}

static void pfn_t_for_each(struct kunit *test,
			   void (*check)(struct kunit *test, unsigned long pfn, u64 flags))
{
	const unsigned long pfns[] = { 0, 1, 0xffff, 0xfffff, 0x100000, pfn_t_largest() };
	int i, j;

	for (i = 0; i < ARRAY_SIZE(pfns); i++)
		for (j = 0; j < ARRAY_SIZE(pfn_t_flags); j++)
			check(test, pfns[i], pfn_t_flags[j]);
}

static void check_round_trip(struct kunit *test, unsigned long pfn, u64 flags)
{
	pfn_t pfn_t = __pfn_to_pfn_t(pfn, flags);

	KUNIT_EXPECT_EQ(test, pfn_t_to_pfn(pfn_t), pfn);
	KUNIT_EXPECT_EQ(test, pfn_t.val & PFN_FLAGS_MASK, flags);
	KUNIT_EXPECT_EQ(test, pfn_t_to_phys(pfn_t), PFN_PHYS(pfn));
	KUNIT_EXPECT_EQ(test, phys_to_pfn_t(PFN_PHYS(pfn), flags).val, pfn_t.val);
}

static void pfn_t_round_trip(struct kunit *test)
{
	pfn_t_for_each(test, check_round_trip);
}

static void check_kind(struct kunit *test, unsigned long pfn, u64 flags)
{
	bool pageless = (flags & (PFN_DEV | PFN_MAP)) == PFN_DEV;
	pfn_t pfn_t = __pfn_to_pfn_t(pfn, flags);

	KUNIT_EXPECT_EQ(test, pfn_t_has_page(pfn_t), !pageless);
	KUNIT_EXPECT_EQ(test, pfn_t_pageless(pfn_t), pageless && IS_ENABLED(CONFIG_PAGELESS));
	if (pageless)
		KUNIT_EXPECT_PTR_EQ(test, pfn_t_to_page(pfn_t), NULL);
}

static void pfn_t_dev_without_map_has_no_page(struct kunit *test)
{
	pfn_t_for_each(test, check_kind);
}

static void pfn_t_flags_do_not_touch_frames(struct kunit *test)
{
	const u64 flags[] = { PFN_SG_CHAIN, PFN_SG_LAST, PFN_DEV, PFN_MAP };
	u64 seen = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		KUNIT_EXPECT_EQ(test, hweight64(flags[i]), 1);
		KUNIT_EXPECT_EQ(test, seen & flags[i], 0);
		KUNIT_EXPECT_EQ(test, flags[i] & PFN_FLAGS_MASK, flags[i]);
		KUNIT_EXPECT_EQ(test, flags[i] & pfn_t_largest(), 0);
		seen |= flags[i];
	}
}

static void pfn_t_reaches_above_4g(struct kunit *test)
{
	phys_addr_t addr = (phys_addr_t)5 << 30;

	if (sizeof(phys_addr_t) == 4)
		kunit_skip(test, "no physical addresses above 4 GiB");
	KUNIT_EXPECT_EQ(test, pfn_t_to_phys(phys_to_pfn_t(addr, PFN_FLAGS_MASK)), addr);
	KUNIT_EXPECT_GE(test, PFN_PHYS(pfn_t_largest()), addr);
}

static void pfn_t_of_ram_has_its_page(struct kunit *test)
{
	struct page *page = ZERO_PAGE(0);
	pfn_t pfn = page_to_pfn_t(page);

	KUNIT_EXPECT_PTR_EQ(test, pfn_t_to_page(pfn), page);
	KUNIT_EXPECT_TRUE(test, pfn_t_valid(pfn));
	KUNIT_EXPECT_FALSE(test, pfn_t_pageless(pfn));
}

static struct kunit_case pfn_t_cases[] = {
	KUNIT_CASE(pfn_t_round_trip),
	KUNIT_CASE(pfn_t_dev_without_map_has_no_page),
	KUNIT_CASE(pfn_t_flags_do_not_touch_frames),
	KUNIT_CASE(pfn_t_reaches_above_4g),
	KUNIT_CASE(pfn_t_of_ram_has_its_page),
	{}
};

static struct kunit_suite pfn_t_suite = {
	.name = "pfn_t",
	.test_cases = pfn_t_cases,
};
kunit_test_suite(pfn_t_suite);

MODULE_DESCRIPTION("KUnit tests for pfn_t");
MODULE_LICENSE("GPL");
