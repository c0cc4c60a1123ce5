// SPDX-License-Identifier: GPL-2.0
/*
 * Page-less ranges at physical addresses that nothing uses. Nothing is behind
 * them, so the tests look at page tables and never at the memory.
 */
#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/memory_hotplug.h>
#include <linux/memremap.h>
#include <linux/pageless.h>
#include <linux/sizes.h>
#include <linux/workqueue.h>
#include <asm/set_memory.h>
#include "eventually.h"

/* Leaves room for 4,096 ranges of 2 MiB, and for one of 1 GiB, below the top. */
#define TEST_SPAN	(32ULL * SZ_1G)

struct range_fixture {
	phys_addr_t base;		/* 1 GiB aligned, TEST_SPAN free bytes */
	struct pageless_range range;
	int revoked;
	int failed;
	unsigned long failed_pfn;
};

static void test_revoke(struct pageless_range *range)
{
	struct range_fixture *f = range->owner;

	f->revoked++;
}

static int test_memory_failure(struct pageless_range *range, unsigned long pfn,
			       unsigned long nr, int mf_flags)
{
	struct range_fixture *f = range->owner;

	f->failed++;
	f->failed_pfn = pfn;
	return 0;
}

static const struct pageless_ops test_ops = {
	.revoke = test_revoke,
	.memory_failure = test_memory_failure,
};

static struct pageless_range test_range(struct range_fixture *f, phys_addr_t offset,
					phys_addr_t size)
{
	return (struct pageless_range) {
		.start = f->base + offset,
		.size = size,
		.name = "kunit",
		.ops = &test_ops,
		.owner = f,
		.nid = NUMA_NO_NODE,
	};
}

static int range_init(struct kunit *test)
{
	struct range_fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	phys_addr_t base;

	KUNIT_ASSERT_NOT_NULL(test, f);
	test->priv = f;
	/* From 512 GiB on: above the RAM and the NVDIMMs of the lab's small machines. */
	for (base = 512ULL * SZ_1G; base < mhp_get_pluggable_range(true).end - TEST_SPAN;
	     base += TEST_SPAN) {
		if (region_intersects(base, TEST_SPAN, 0, IORES_DESC_NONE) == REGION_DISJOINT) {
			f->base = base;
			return 0;
		}
	}
	kunit_skip(test, "no free physical addresses");
	return 0;
}

static int level_of(phys_addr_t addr)
{
	unsigned int level;
	pte_t *pte = lookup_address((unsigned long)__va(addr), &level);

	return pte && pte_present(ptep_get(pte)) ? level : PG_LEVEL_NONE;
}

/* -------- registration ---------------------------------------------------- */

static void range_registers_and_unregisters(struct kunit *test)
{
	struct range_fixture *f = test->priv;
	unsigned long pfn;

	f->range = test_range(f, 0, SZ_1G);
	pfn = pageless_start_pfn(&f->range);
	KUNIT_ASSERT_EQ(test, pageless_register(&f->range), 0);
	KUNIT_EXPECT_TRUE(test, pageless_pfn(pfn));
	KUNIT_EXPECT_FALSE(test, pfn_valid(pfn));
	KUNIT_EXPECT_PTR_EQ(test, kmap_local_pfn_t(__pfn_to_pfn_t(pfn, PFN_DEV)),
			    __va(PFN_PHYS(pfn)));
	KUNIT_EXPECT_EQ(test, region_intersects(f->range.start, f->range.size, IORESOURCE_MEM,
						IORES_DESC_NONE), REGION_INTERSECTS);
	pageless_unregister(&f->range);
	KUNIT_EXPECT_EQ(test, f->revoked, 1);
	KUNIT_EXPECT_FALSE(test, pageless_pfn(pfn));
	KUNIT_EXPECT_EQ(test, level_of(f->base), PG_LEVEL_NONE);
	KUNIT_EXPECT_EQ(test, region_intersects(f->base, SZ_1G, 0, IORES_DESC_NONE),
			REGION_DISJOINT);
}

static void range_is_mapped_by_large_entries(struct kunit *test)
{
	struct range_fixture *f = test->priv;
	int gib = boot_cpu_has(X86_FEATURE_GBPAGES) ? PG_LEVEL_1G : PG_LEVEL_2M;
	phys_addr_t head = 2ULL * SZ_1G - SZ_2M - SZ_4K;

	/* 4 KiB, 2 MiB, 1 GiB, 2 MiB, 4 KiB */
	f->range = test_range(f, head, SZ_4K + SZ_2M + SZ_1G + SZ_2M + SZ_4K);
	KUNIT_ASSERT_EQ(test, pageless_register(&f->range), 0);
	KUNIT_EXPECT_EQ(test, level_of(f->base + head - 1), PG_LEVEL_NONE);
	KUNIT_EXPECT_EQ(test, level_of(f->base + head), PG_LEVEL_4K);
	KUNIT_EXPECT_EQ(test, level_of(f->base + head + SZ_4K), PG_LEVEL_2M);
	KUNIT_EXPECT_EQ(test, level_of(f->base + 2ULL * SZ_1G), gib);
	KUNIT_EXPECT_EQ(test, level_of(f->base + 3ULL * SZ_1G), PG_LEVEL_2M);
	KUNIT_EXPECT_EQ(test, level_of(f->base + 3ULL * SZ_1G + SZ_2M), PG_LEVEL_4K);
	KUNIT_EXPECT_EQ(test, level_of(f->base + 3ULL * SZ_1G + SZ_2M + SZ_4K), PG_LEVEL_NONE);
	pageless_unregister(&f->range);
	KUNIT_EXPECT_EQ(test, level_of(f->base + head), PG_LEVEL_NONE);
	KUNIT_EXPECT_EQ(test, level_of(f->base + 2ULL * SZ_1G), PG_LEVEL_NONE);
}

static void expect_refused(struct kunit *test, phys_addr_t start, phys_addr_t size, int err)
{
	struct range_fixture *f = test->priv;
	struct pageless_range *range = kunit_kzalloc(test, sizeof(*range), GFP_KERNEL);
	bool found = pageless_pfn(PHYS_PFN(start));

	KUNIT_ASSERT_NOT_NULL(test, range);
	*range = test_range(f, 0, size);
	range->start = start;
	KUNIT_EXPECT_EQ(test, pageless_register(range), err);
	KUNIT_EXPECT_EQ(test, pageless_pfn(PHYS_PFN(start)), found);
}

static void range_refuses_bad_spans(struct kunit *test)
{
	struct range_fixture *f = test->priv;
	phys_addr_t end = mhp_get_pluggable_range(true).end + 1;

	expect_refused(test, f->base, 0, -EINVAL);
	expect_refused(test, f->base + 1, SZ_4K, -EINVAL);
	expect_refused(test, f->base, SZ_4K + 512, -EINVAL);
	expect_refused(test, (phys_addr_t)-SZ_4K, SZ_8K, -EINVAL);
	expect_refused(test, end, SZ_4K, -ERANGE);
	expect_refused(test, end - SZ_4K, SZ_8K, -ERANGE);
	KUNIT_EXPECT_EQ(test, level_of(f->base), PG_LEVEL_NONE);
}

static void range_refuses_ram_and_memmap(struct kunit *test)
{
	phys_addr_t ram = page_to_phys(ZERO_PAGE(0));

	expect_refused(test, ram, SZ_4K, -EBUSY);
	expect_refused(test, ALIGN_DOWN(ram, SZ_2M), SZ_4M, -EBUSY);
}

static void range_refuses_dev_pagemap(struct kunit *test)
{
	struct range_fixture *f = test->priv;
	struct device *dev = kunit_device_register(test, "pageless");
	struct dev_pagemap pgmap = {
		.type = MEMORY_DEVICE_GENERIC,
		.range = { .start = f->base, .end = f->base + SZ_2M - 1 },
		.nr_range = 1,
	};

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, memremap_pages(&pgmap, NUMA_NO_NODE));
	expect_refused(test, f->base + SZ_1M, SZ_4K, -EBUSY);
	expect_refused(test, f->base, SZ_1G, -EBUSY);
	memunmap_pages(&pgmap);

	f->range = test_range(f, 0, SZ_2M);
	KUNIT_ASSERT_EQ(test, pageless_register(&f->range), 0);
	KUNIT_EXPECT_TRUE(test, IS_ERR(memremap_pages(&pgmap, NUMA_NO_NODE)));
	pageless_unregister(&f->range);
}

static void range_refuses_overlap(struct kunit *test)
{
	struct range_fixture *f = test->priv;

	f->range = test_range(f, SZ_1G, 4 * SZ_4K);
	KUNIT_ASSERT_EQ(test, pageless_register(&f->range), 0);
	expect_refused(test, f->range.start, f->range.size, -EBUSY);
	expect_refused(test, f->range.start - SZ_4K, SZ_8K, -EBUSY);
	expect_refused(test, f->range.start + 3 * SZ_4K, SZ_8K, -EBUSY);
	expect_refused(test, f->range.start + SZ_4K, SZ_4K, -EBUSY);
	expect_refused(test, f->range.start - SZ_2M, SZ_4M, -EBUSY);
	pageless_unregister(&f->range);
}

static void ranges_can_touch(struct kunit *test)
{
	struct range_fixture *f = test->priv;
	struct pageless_range *low = &f->range;
	struct pageless_range *high = kunit_kzalloc(test, sizeof(*high), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, high);
	*low = test_range(f, 0, SZ_4K);
	*high = test_range(f, SZ_4K, SZ_4K);
	KUNIT_ASSERT_EQ(test, pageless_register(low), 0);
	KUNIT_ASSERT_EQ(test, pageless_register(high), 0);
	pageless_unregister(low);
	KUNIT_EXPECT_FALSE(test, pageless_pfn(pageless_start_pfn(low)));
	KUNIT_EXPECT_TRUE(test, pageless_pfn(pageless_start_pfn(high)));
	KUNIT_EXPECT_EQ(test, level_of(high->start), PG_LEVEL_4K);
	pageless_unregister(high);
}

/* -------- look-up ---------------------------------------------------------- */

static void range_is_found_at_its_edges_only(struct kunit *test)
{
	struct range_fixture *f = test->priv;
	unsigned long first, last;

	f->range = test_range(f, SZ_1G - 3 * SZ_4K, SZ_1G + 5 * SZ_4K);
	first = pageless_start_pfn(&f->range);
	last = first + pageless_nr_pfns(&f->range) - 1;
	KUNIT_ASSERT_EQ(test, pageless_register(&f->range), 0);
	KUNIT_EXPECT_PTR_EQ(test, pageless_range_get(first - 1), NULL);
	KUNIT_EXPECT_PTR_EQ(test, pageless_range_get(last + 1), NULL);
	KUNIT_EXPECT_PTR_EQ(test, pageless_range_get(first), &f->range);
	KUNIT_EXPECT_PTR_EQ(test, pageless_range_get(last), &f->range);
	KUNIT_EXPECT_PTR_EQ(test, pageless_range_get(first + 12345), &f->range);
	pageless_range_put(&f->range);
	pageless_range_put(&f->range);
	pageless_range_put(&f->range);
	KUNIT_EXPECT_TRUE(test, pageless_intersects(f->range.start - SZ_4K, SZ_8K));
	KUNIT_EXPECT_FALSE(test, pageless_intersects(f->range.start - SZ_8K, SZ_8K));
	pageless_unregister(&f->range);
	KUNIT_EXPECT_PTR_EQ(test, pageless_range_get(first), NULL);
}

#define MANY	4096

struct range_work {
	struct pageless_range range;
	struct work_struct work;
};

static void unregister_work(struct work_struct *work)
{
	pageless_unregister(&container_of(work, struct range_work, work)->range);
}

static void many_ranges(struct kunit *test)
{
	struct range_fixture *f = test->priv;
	struct workqueue_struct *wq;
	struct pageless_range *found;
	struct range_work *ranges;
	int i, n;

	/* Each removal waits for RCU: do many at once. */
	wq = alloc_workqueue("pageless-kunit", WQ_UNBOUND, WQ_MAX_ACTIVE);
	KUNIT_ASSERT_NOT_NULL(test, wq);

	ranges = kvcalloc(MANY, sizeof(*ranges), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ranges);
	for (n = 0; n < MANY; n++) {
		/* Every other block of 2 MiB, so that none touches its neighbour. */
		ranges[n].range = test_range(f, 2ULL * n * SZ_2M, SZ_2M);
		if (pageless_register(&ranges[n].range))
			break;
	}
	KUNIT_EXPECT_EQ(test, n, MANY);
	for (i = 0; i < n; i++) {
		unsigned long pfn = pageless_start_pfn(&ranges[i].range);

		found = pageless_range_get(pfn + i % 512);
		KUNIT_EXPECT_PTR_EQ(test, found, &ranges[i].range);
		if (found)
			pageless_range_put(found);
		KUNIT_EXPECT_FALSE(test, pageless_pfn(pfn + 512));
	}
	while (n--) {
		INIT_WORK(&ranges[n].work, unregister_work);
		queue_work(wq, &ranges[n].work);
	}
	destroy_workqueue(wq);
	KUNIT_EXPECT_FALSE(test, pageless_intersects(f->base, TEST_SPAN));
	kvfree(ranges);
}

/* -------- lifetime ---------------------------------------------------------- */

static int unregister_thread(void *range)
{
	pageless_unregister(range);
	return 0;
}

/* Until user mappings are revoked: it waits for who has a reference. */
static struct task_struct *start_unregister(struct kunit *test, struct range_fixture *f)
{
	struct task_struct *task = kthread_create(unregister_thread, &f->range, "pageless-kunit");

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	get_task_struct(task);
	wake_up_process(task);
	KUNIT_EXPECT_TRUE(test, eventually(READ_ONCE(f->revoked)));
	return task;
}

static void removal_waits_for_the_last_reference(struct kunit *test)
{
	struct range_fixture *f = test->priv;
	struct task_struct *task;
	unsigned long pfn;

	f->range = test_range(f, 0, SZ_2M);
	pfn = pageless_start_pfn(&f->range);
	KUNIT_ASSERT_EQ(test, pageless_register(&f->range), 0);
	KUNIT_ASSERT_PTR_EQ(test, pageless_range_get(pfn), &f->range);

	task = start_unregister(test, f);

	/* Not found any more, revoked, and still mapped: we hold it. */
	KUNIT_EXPECT_EQ(test, f->revoked, 1);
	KUNIT_EXPECT_FALSE(test, pageless_pfn(pfn));
	KUNIT_EXPECT_PTR_EQ(test, pageless_range_get(pfn), NULL);
	msleep(20);
	KUNIT_EXPECT_EQ(test, level_of(f->base), PG_LEVEL_2M);

	pageless_range_put(&f->range);
	kthread_stop(task);
	put_task_struct(task);
	KUNIT_EXPECT_EQ(test, level_of(f->base), PG_LEVEL_NONE);
}

struct test_holder {
	struct pageless_holder holder;
	struct range_fixture *f;
	int revoked;
};

/* User mappings are gone before, and the memory is there still. */
static void test_holder_revoke(struct pageless_holder *holder)
{
	struct test_holder *h = container_of(holder, struct test_holder, holder);

	h->revoked += h->f->revoked == 1 && level_of(h->f->base) == PG_LEVEL_2M;
}

static void holders_let_go(struct kunit *test)
{
	struct range_fixture *f = test->priv;
	struct test_holder h[3] = {};
	unsigned long pfn;
	int i;

	f->range = test_range(f, 0, SZ_2M);
	pfn = pageless_start_pfn(&f->range);
	KUNIT_ASSERT_EQ(test, pageless_register(&f->range), 0);
	for (i = 0; i < ARRAY_SIZE(h); i++) {
		h[i].f = f;
		h[i].holder.revoke = test_holder_revoke;
		KUNIT_ASSERT_PTR_EQ(test, pageless_range_get(pfn), &f->range);
		KUNIT_ASSERT_EQ(test, pageless_hold(&h[i].holder, &f->range), 0);
	}
	pageless_let_go(&h[1].holder);

	/* It waits for nobody. */
	pageless_unregister(&f->range);
	KUNIT_EXPECT_EQ(test, h[0].revoked, 1);
	KUNIT_EXPECT_EQ(test, h[1].revoked, 0);
	KUNIT_EXPECT_EQ(test, h[2].revoked, 1);
	pageless_let_go(&h[0].holder);
	pageless_let_go(&h[2].holder);
}

static void range_that_goes_is_not_held(struct kunit *test)
{
	struct range_fixture *f = test->priv;
	struct test_holder h = { .f = f, .holder.revoke = test_holder_revoke };
	struct task_struct *task;

	f->range = test_range(f, 0, SZ_2M);
	KUNIT_ASSERT_EQ(test, pageless_register(&f->range), 0);
	KUNIT_ASSERT_PTR_EQ(test, pageless_range_get(pageless_start_pfn(&f->range)), &f->range);
	task = start_unregister(test, f);

	KUNIT_EXPECT_EQ(test, pageless_hold(&h.holder, &f->range), -ENODEV);
	pageless_range_put(&f->range);
	kthread_stop(task);
	put_task_struct(task);
	KUNIT_EXPECT_EQ(test, h.revoked, 0);
}

static void devm_range_ends_with_its_device(struct kunit *test)
{
	struct range_fixture *f = test->priv;
	struct device *dev = kunit_device_register(test, "pageless");

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	f->range = test_range(f, 0, SZ_2M);
	KUNIT_ASSERT_EQ(test, devm_pageless_register(dev, &f->range), 0);
	kunit_device_unregister(test, dev);
	KUNIT_EXPECT_EQ(test, f->revoked, 1);
	KUNIT_EXPECT_FALSE(test, pageless_intersects(f->base, SZ_2M));
}

static void memory_failure_reaches_the_owner(struct kunit *test)
{
	struct range_fixture *f = test->priv;
	unsigned long pfn = PHYS_PFN(f->base) + 7;

	KUNIT_EXPECT_EQ(test, pageless_memory_failure(pfn, 0), -ENXIO);
	f->range = test_range(f, 0, SZ_2M);
	KUNIT_ASSERT_EQ(test, pageless_register(&f->range), 0);
	KUNIT_EXPECT_EQ(test, pageless_memory_failure(pfn, 0), 0);
	KUNIT_EXPECT_EQ(test, f->failed, 1);
	KUNIT_EXPECT_EQ(test, f->failed_pfn, pfn);
	pageless_unregister(&f->range);

	f->range.ops = NULL;
	KUNIT_ASSERT_EQ(test, pageless_register(&f->range), 0);
	KUNIT_EXPECT_EQ(test, pageless_memory_failure(pfn, 0), -EOPNOTSUPP);
	pageless_unregister(&f->range);
}

/* -------- allocation failure ------------------------------------------------ */

#ifdef CONFIG_FAULT_INJECTION
/*
 * Fail the first allocation of a registration, then the second, and so on until
 * none is left to fail. Fault injection has to be told to fail GFP_KERNEL
 * allocations of tasks: lab/scenarios/kunit does.
 */
static void every_allocation_may_fail(struct kunit *test)
{
	struct range_fixture *f = test->priv;
	int nth, err = -1, failures = 0;

	for (nth = 1; nth < 200; nth++) {
		bool injected;

		/* A new gigabyte each time, so that page tables are new as well. */
		f->range = test_range(f, (nth % 30) * (phys_addr_t)SZ_1G + SZ_2M, SZ_2M + SZ_4K);
		current->fail_nth = nth;
		err = pageless_register(&f->range);
		injected = !current->fail_nth;
		current->fail_nth = 0;
		if (err) {
			KUNIT_EXPECT_EQ(test, err, -ENOMEM);
			KUNIT_EXPECT_FALSE(test, pageless_intersects(f->range.start, f->range.size));
			KUNIT_EXPECT_EQ(test, level_of(f->range.start), PG_LEVEL_NONE);
			failures++;
			continue;
		}
		pageless_unregister(&f->range);
		if (!injected)
			break;
	}
	KUNIT_EXPECT_EQ(test, err, 0);
	KUNIT_EXPECT_GE(test, failures, 3);
	kunit_info(test, "%d allocations failed one by one\n", failures);
}
#endif

static struct kunit_case range_cases[] = {
	KUNIT_CASE(range_registers_and_unregisters),
	KUNIT_CASE(range_is_mapped_by_large_entries),
	KUNIT_CASE(range_refuses_bad_spans),
	KUNIT_CASE(range_refuses_ram_and_memmap),
	KUNIT_CASE(range_refuses_dev_pagemap),
	KUNIT_CASE(range_refuses_overlap),
	KUNIT_CASE(ranges_can_touch),
	KUNIT_CASE(range_is_found_at_its_edges_only),
	KUNIT_CASE_SLOW(many_ranges),
	KUNIT_CASE(removal_waits_for_the_last_reference),
	KUNIT_CASE(holders_let_go),
	KUNIT_CASE(range_that_goes_is_not_held),
	KUNIT_CASE(devm_range_ends_with_its_device),
	KUNIT_CASE(memory_failure_reaches_the_owner),
#ifdef CONFIG_FAULT_INJECTION
	KUNIT_CASE(every_allocation_may_fail),
#endif
	{}
};

static struct kunit_suite range_suite = {
	.name = "pageless",
	.init = range_init,
	.test_cases = range_cases,
};
kunit_test_suite(range_suite);

MODULE_DESCRIPTION("KUnit tests for page-less ranges");
MODULE_LICENSE("GPL");
