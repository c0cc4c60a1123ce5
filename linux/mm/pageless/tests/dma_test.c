// SPDX-License-Identifier: GPL-2.0
/*
 * Page-less memory through the DMA API, for a device that does no DMA: what
 * address it would be given, what swiotlb copies, who refuses.
 */
#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/device.h>
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/scatterlist.h>
#include <linux/swiotlb.h>
#include "backed_range.h"

#define NR_FRAMES	4
#define FILL		0x5a
#define DEVICE_FILL	0xa5

struct dma_fixture {
	struct device *dev;
	struct pageless_range range;
	struct page *pages[NR_FRAMES];	/* what the addresses of the range reach */
	struct page *page;		/* for page-backed mappings */
};

/* -------- a device and a page-less range that has memory ------------------- */

static int dma_test_init(struct kunit *test)
{
	struct dma_fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, f);
	test->priv = f;
	f->dev = kunit_device_register(test, "pageless_dma");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->dev);
	KUNIT_ASSERT_EQ(test, 0, dma_set_mask_and_coherent(f->dev, DMA_BIT_MASK(64)));
	f->page = alloc_pages(GFP_KERNEL | __GFP_ZERO, 1);
	KUNIT_ASSERT_NOT_NULL(test, f->page);

	backed_range_register(test, &f->range, f->pages, NR_FRAMES);
	for (i = 0; i < NR_FRAMES; i++)
		memset(page_address(f->pages[i]), FILL, PAGE_SIZE);
	return 0;
}

static void dma_test_exit(struct kunit *test)
{
	struct dma_fixture *f = test->priv;

	if (!f)
		return;
	backed_range_unregister(&f->range, f->pages, NR_FRAMES);
	if (f->page)
		__free_pages(f->page, 1);
}

static pfn_t frame(struct dma_fixture *f, unsigned int nr)
{
	return __pfn_to_pfn_t(pageless_start_pfn(&f->range) + nr, PFN_DEV);
}

/* Where a buffer that is not bounced is, for the device. */
static dma_addr_t expected(struct dma_fixture *f, phys_addr_t offset)
{
	return phys_to_dma(f->dev, f->range.start + offset);
}

static bool is_bounced(struct dma_fixture *f, dma_addr_t addr)
{
	return swiotlb_find_pool(f->dev, dma_to_phys(f->dev, addr));
}

static void skip_unless_direct(struct kunit *test)
{
	struct dma_fixture *f = test->priv;

	if (get_dma_ops(f->dev))
		kunit_skip(test, "all devices have DMA operations here");
}

static void skip_if_forced(struct kunit *test)
{
	struct dma_fixture *f = test->priv;

	skip_unless_direct(test);
	if (is_swiotlb_force_bounce(f->dev))
		kunit_skip(test, "swiotlb is forced");
}

/* A frame, two pages, and a piece that begins in one frame and ends in another. */
static void test_table(struct kunit *test, struct sg_table *table)
{
	struct dma_fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, 0, sg_alloc_table(table, 3, GFP_KERNEL));
	sg_set_pfn(table->sgl, frame(f, 3), PAGE_SIZE, 0);
	sg_set_page(&table->sgl[1], f->page, 2 * PAGE_SIZE, 0);
	sg_set_pfn(&table->sgl[2], frame(f, 0), PAGE_SIZE + 512, 1024);
}

/* -------- devices that reach the memory ------------------------------------- */

static void pageless_pfn_maps_to_its_address(struct kunit *test)
{
	struct dma_fixture *f = test->priv;
	size_t size = 2 * PAGE_SIZE + 9;
	dma_addr_t addr;

	skip_if_forced(test);
	addr = dma_map_pfn(f->dev, frame(f, 1), 513, size, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_EQ(test, 0, dma_mapping_error(f->dev, addr));
	KUNIT_EXPECT_EQ(test, addr, expected(f, PAGE_SIZE + 513));
	dma_sync_single_for_cpu(f->dev, addr, size, DMA_BIDIRECTIONAL);
	dma_sync_single_for_device(f->dev, addr, size, DMA_BIDIRECTIONAL);
	dma_unmap_page(f->dev, addr, size, DMA_BIDIRECTIONAL);
}

static void page_backed_pfn_maps_as_its_page(struct kunit *test)
{
	struct dma_fixture *f = test->priv;
	dma_addr_t by_page, by_pfn, by_flags;

	skip_if_forced(test);
	by_page = dma_map_page(f->dev, f->page, 100, PAGE_SIZE, DMA_TO_DEVICE);
	KUNIT_ASSERT_EQ(test, 0, dma_mapping_error(f->dev, by_page));
	by_pfn = dma_map_pfn(f->dev, page_to_pfn_t(f->page), 100, PAGE_SIZE, DMA_TO_DEVICE);
	KUNIT_ASSERT_EQ(test, 0, dma_mapping_error(f->dev, by_pfn));
	by_flags = dma_map_pfn(f->dev, __pfn_to_pfn_t(page_to_pfn(f->page), PFN_DEV | PFN_MAP),
			       100, PAGE_SIZE, DMA_TO_DEVICE);
	KUNIT_ASSERT_EQ(test, 0, dma_mapping_error(f->dev, by_flags));
	KUNIT_EXPECT_EQ(test, by_pfn, by_page);
	KUNIT_EXPECT_EQ(test, by_flags, by_page);
	dma_unmap_page(f->dev, by_flags, PAGE_SIZE, DMA_TO_DEVICE);
	dma_unmap_page(f->dev, by_pfn, PAGE_SIZE, DMA_TO_DEVICE);
	dma_unmap_page(f->dev, by_page, PAGE_SIZE, DMA_TO_DEVICE);
}

static void sg_table_of_both_kinds_maps(struct kunit *test)
{
	struct dma_fixture *f = test->priv;
	struct sg_table table;

	skip_if_forced(test);
	test_table(test, &table);
	KUNIT_EXPECT_EQ(test, 0, dma_map_sgtable(f->dev, &table, DMA_BIDIRECTIONAL, 0));
	KUNIT_EXPECT_EQ(test, table.nents, 3);
	KUNIT_EXPECT_EQ(test, sg_dma_address(table.sgl), expected(f, 3 * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, sg_dma_address(&table.sgl[1]),
			phys_to_dma(f->dev, page_to_phys(f->page)));
	KUNIT_EXPECT_EQ(test, sg_dma_address(&table.sgl[2]), expected(f, 1024));
	KUNIT_EXPECT_EQ(test, sg_dma_len(&table.sgl[2]), PAGE_SIZE + 512);
	dma_sync_sgtable_for_cpu(f->dev, &table, DMA_BIDIRECTIONAL);
	dma_sync_sgtable_for_device(f->dev, &table, DMA_BIDIRECTIONAL);
	dma_unmap_sgtable(f->dev, &table, DMA_BIDIRECTIONAL, 0);
	KUNIT_EXPECT_TRUE(test, sg_pageless(table.sgl));
	KUNIT_EXPECT_PTR_EQ(test, sg_page(&table.sgl[1]), f->page);
	sg_free_table(&table);
}

static void sg_entry_maps_without_its_table(struct kunit *test)
{
	struct dma_fixture *f = test->priv;
	struct scatterlist *sg;
	struct sg_table table;
	dma_addr_t addr;

	skip_if_forced(test);
	test_table(test, &table);
	sg = &table.sgl[2];
	addr = dma_map_pfn(f->dev, sg_pfn(sg), sg->offset, sg->length, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, 0, dma_mapping_error(f->dev, addr));
	KUNIT_EXPECT_EQ(test, addr, expected(f, 1024));
	dma_unmap_page(f->dev, addr, PAGE_SIZE + 512, DMA_TO_DEVICE);

	sg = &table.sgl[1];
	addr = dma_map_pfn(f->dev, sg_pfn(sg), sg->offset, sg->length, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, 0, dma_mapping_error(f->dev, addr));
	KUNIT_EXPECT_EQ(test, addr, phys_to_dma(f->dev, page_to_phys(f->page)));
	dma_unmap_page(f->dev, addr, 2 * PAGE_SIZE, DMA_TO_DEVICE);
	sg_free_table(&table);
}

static void wide_mask_supports_pageless(struct kunit *test)
{
	struct dma_fixture *f = test->priv;

	skip_if_forced(test);
	KUNIT_EXPECT_TRUE(test, dma_pageless_supported(f->dev));
	KUNIT_ASSERT_EQ(test, 0, dma_set_mask_and_coherent(f->dev, DMA_BIT_MASK(32)));
	KUNIT_EXPECT_FALSE(test, dma_pageless_supported(f->dev));
}

/* -------- devices that do not ----------------------------------------------- */

static void narrow_mask(struct kunit *test)
{
	struct dma_fixture *f = test->priv;

	skip_unless_direct(test);
	KUNIT_ASSERT_EQ(test, 0, dma_set_mask_and_coherent(f->dev, DMA_BIT_MASK(32)));
}

static void narrow_mask_needs_swiotlb(struct kunit *test)
{
	narrow_mask(test);
	if (!is_swiotlb_active(((struct dma_fixture *)test->priv)->dev))
		kunit_skip(test, "no swiotlb; boot with swiotlb=force");
}

static void pfn_out_of_reach_fails(struct kunit *test)
{
	struct dma_fixture *f = test->priv;
	struct sg_table table;
	dma_addr_t addr;

	narrow_mask(test);
	if (is_swiotlb_active(f->dev))
		kunit_skip(test, "swiotlb is active");
	addr = dma_map_pfn(f->dev, frame(f, 0), 0, PAGE_SIZE, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, addr, DMA_MAPPING_ERROR);
	test_table(test, &table);
	KUNIT_EXPECT_EQ(test, -EIO, dma_map_sgtable(f->dev, &table, DMA_TO_DEVICE, 0));
	sg_free_table(&table);
}

static void bounce_reads_the_frames(struct kunit *test)
{
	struct dma_fixture *f = test->priv;
	size_t size = PAGE_SIZE + 100;
	dma_addr_t addr;
	u8 *bounce;

	narrow_mask_needs_swiotlb(test);
	addr = dma_map_pfn(f->dev, frame(f, 0), 700, size, DMA_TO_DEVICE);
	KUNIT_ASSERT_EQ(test, 0, dma_mapping_error(f->dev, addr));
	KUNIT_ASSERT_TRUE(test, is_bounced(f, addr));
	KUNIT_EXPECT_LE(test, addr + size - 1, DMA_BIT_MASK(32));
	bounce = phys_to_virt(dma_to_phys(f->dev, addr));
	KUNIT_EXPECT_NULL(test, memchr_inv(bounce, FILL, size));

	/* What the CPU writes later reaches the device by a sync. */
	memset(page_address(f->pages[1]), FILL + 1, PAGE_SIZE);
	dma_sync_single_for_device(f->dev, addr, size, DMA_TO_DEVICE);
	KUNIT_EXPECT_NULL(test, memchr_inv(bounce + PAGE_SIZE - 700, FILL + 1,
					   size - (PAGE_SIZE - 700)));
	dma_unmap_page(f->dev, addr, size, DMA_TO_DEVICE);
}

static void bounce_writes_the_frames(struct kunit *test)
{
	struct dma_fixture *f = test->priv;
	size_t size = PAGE_SIZE + 100;
	dma_addr_t addr;
	u8 *bounce, *second;

	narrow_mask_needs_swiotlb(test);
	second = page_address(f->pages[3]);
	addr = dma_map_pfn(f->dev, frame(f, 2), 0, size, DMA_FROM_DEVICE);
	KUNIT_ASSERT_EQ(test, 0, dma_mapping_error(f->dev, addr));
	KUNIT_ASSERT_TRUE(test, is_bounced(f, addr));
	bounce = phys_to_virt(dma_to_phys(f->dev, addr));
	memset(bounce, DEVICE_FILL, size);
	dma_sync_single_for_cpu(f->dev, addr, size, DMA_FROM_DEVICE);
	KUNIT_EXPECT_NULL(test, memchr_inv(page_address(f->pages[2]), DEVICE_FILL, PAGE_SIZE));
	memset(bounce, DEVICE_FILL + 1, size);
	dma_unmap_page(f->dev, addr, size, DMA_FROM_DEVICE);
	KUNIT_EXPECT_NULL(test, memchr_inv(second, DEVICE_FILL + 1, 100));
	KUNIT_EXPECT_NULL(test, memchr_inv(second + 100, FILL, PAGE_SIZE - 100));
}

static void bounce_of_sg_table(struct kunit *test)
{
	struct dma_fixture *f = test->priv;
	struct scatterlist *sg;
	struct sg_table table;
	int i;

	narrow_mask_needs_swiotlb(test);
	test_table(test, &table);
	KUNIT_ASSERT_EQ(test, 0, dma_map_sgtable(f->dev, &table, DMA_FROM_DEVICE, 0));
	for_each_sgtable_dma_sg(&table, sg, i) {
		if (!sg_pageless(sg))
			continue;
		KUNIT_EXPECT_TRUE(test, is_bounced(f, sg_dma_address(sg)));
		memset(phys_to_virt(dma_to_phys(f->dev, sg_dma_address(sg))), DEVICE_FILL,
		       sg_dma_len(sg));
	}
	dma_unmap_sgtable(f->dev, &table, DMA_FROM_DEVICE, 0);
	KUNIT_EXPECT_NULL(test, memchr_inv(page_address(f->pages[3]), DEVICE_FILL, PAGE_SIZE));
	KUNIT_EXPECT_NULL(test, memchr_inv(page_address(f->pages[0]), FILL, 1024));
	KUNIT_EXPECT_NULL(test, memchr_inv(page_address(f->pages[0]) + 1024, DEVICE_FILL,
					   PAGE_SIZE - 1024));
	sg_free_table(&table);
}

/* -------- DMA operations ------------------------------------------------------ */

#ifdef CONFIG_ARCH_HAS_DMA_OPS
#define BUS_OFFSET	0x1000000

static dma_addr_t test_map_page(struct device *dev, struct page *page, unsigned long offset,
				size_t size, enum dma_data_direction dir, unsigned long attrs)
{
	return page_to_phys(page) + offset + BUS_OFFSET;
}

static dma_addr_t test_map_pfn(struct device *dev, pfn_t pfn, unsigned long offset,
			       size_t size, enum dma_data_direction dir, unsigned long attrs)
{
	return pfn_t_pageless(pfn) ? pfn_t_to_phys(pfn) + offset + BUS_OFFSET : DMA_MAPPING_ERROR;
}

static void test_unmap_page(struct device *dev, dma_addr_t addr, size_t size,
			    enum dma_data_direction dir, unsigned long attrs)
{
}

static int test_map_sg(struct device *dev, struct scatterlist *sgl, int nents,
		       enum dma_data_direction dir, unsigned long attrs)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(sgl, sg, nents, i) {
		sg_dma_address(sg) = sg_phys(sg) + BUS_OFFSET;
		sg_dma_len(sg) = sg->length;
	}
	return nents;
}

static void test_unmap_sg(struct device *dev, struct scatterlist *sgl, int nents,
			  enum dma_data_direction dir, unsigned long attrs)
{
}

static const struct dma_map_ops page_ops = {
	.map_page = test_map_page,
	.unmap_page = test_unmap_page,
	.map_sg = test_map_sg,
	.unmap_sg = test_unmap_sg,
};

static const struct dma_map_ops pfn_ops = {
	.map_page = test_map_page,
	.unmap_page = test_unmap_page,
	.map_pfn = test_map_pfn,
	.map_sg = test_map_sg,
	.unmap_sg = test_unmap_sg,
};

static void ops_without_map_pfn_refuse(struct kunit *test)
{
	struct dma_fixture *f = test->priv;
	struct sg_table table;
	dma_addr_t addr;

	set_dma_ops(f->dev, &page_ops);
	KUNIT_EXPECT_FALSE(test, dma_pageless_supported(f->dev));
	addr = dma_map_pfn(f->dev, frame(f, 0), 0, PAGE_SIZE, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, addr, DMA_MAPPING_ERROR);
	addr = dma_map_pfn(f->dev, page_to_pfn_t(f->page), 8, 100, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, 0, dma_mapping_error(f->dev, addr));
	KUNIT_EXPECT_EQ(test, addr, page_to_phys(f->page) + 8 + BUS_OFFSET);
	dma_unmap_page(f->dev, addr, 100, DMA_TO_DEVICE);

	test_table(test, &table);
	KUNIT_EXPECT_EQ(test, -EIO, dma_map_sgtable(f->dev, &table, DMA_TO_DEVICE, 0));
	KUNIT_EXPECT_EQ(test, 1, dma_map_sg(f->dev, &table.sgl[1], 1, DMA_TO_DEVICE));
	dma_unmap_sg(f->dev, &table.sgl[1], 1, DMA_TO_DEVICE);
	sg_free_table(&table);
	set_dma_ops(f->dev, NULL);
}

static void ops_with_map_pfn_are_asked(struct kunit *test)
{
	struct dma_fixture *f = test->priv;
	struct sg_table table;
	dma_addr_t addr;

	set_dma_ops(f->dev, &pfn_ops);
	KUNIT_EXPECT_TRUE(test, dma_pageless_supported(f->dev));
	addr = dma_map_pfn(f->dev, frame(f, 1), 5, 100, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, 0, dma_mapping_error(f->dev, addr));
	KUNIT_EXPECT_EQ(test, addr, f->range.start + PAGE_SIZE + 5 + BUS_OFFSET);
	dma_unmap_page(f->dev, addr, 100, DMA_TO_DEVICE);

	test_table(test, &table);
	KUNIT_ASSERT_EQ(test, 0, dma_map_sgtable(f->dev, &table, DMA_TO_DEVICE, 0));
	KUNIT_EXPECT_EQ(test, sg_dma_address(&table.sgl[2]), f->range.start + 1024 + BUS_OFFSET);
	dma_unmap_sgtable(f->dev, &table, DMA_TO_DEVICE, 0);
	sg_free_table(&table);
	set_dma_ops(f->dev, NULL);
}
#endif

static struct kunit_case dma_cases[] = {
	KUNIT_CASE(pageless_pfn_maps_to_its_address),
	KUNIT_CASE(page_backed_pfn_maps_as_its_page),
	KUNIT_CASE(sg_table_of_both_kinds_maps),
	KUNIT_CASE(sg_entry_maps_without_its_table),
	KUNIT_CASE(wide_mask_supports_pageless),
	KUNIT_CASE(pfn_out_of_reach_fails),
	KUNIT_CASE(bounce_reads_the_frames),
	KUNIT_CASE(bounce_writes_the_frames),
	KUNIT_CASE(bounce_of_sg_table),
#ifdef CONFIG_ARCH_HAS_DMA_OPS
	KUNIT_CASE(ops_without_map_pfn_refuse),
	KUNIT_CASE(ops_with_map_pfn_are_asked),
#endif
	{}
};

static struct kunit_suite dma_suite = {
	.name = "pageless_dma",
	.init = dma_test_init,
	.exit = dma_test_exit,
	.test_cases = dma_cases,
};
kunit_test_suite(dma_suite);

MODULE_DESCRIPTION("KUnit tests for page-less memory in the DMA API");
MODULE_LICENSE("GPL");
