// SPDX-License-Identifier: GPL-2.0
/*
 * swiotlb with memory that the kernel does not map: pages above 4 GiB of a 32-bit
 * kernel, for a device that does not reach them and does no DMA.
 */
#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/highmem.h>
#include <linux/sizes.h>
#include <linux/swiotlb.h>

/* From the middle of one page, over a whole one, into a third. */
#define OFFSET		700
#define HEAD		(PAGE_SIZE - OFFSET)
#define TAIL		100
#define SIZE		(HEAD + PAGE_SIZE + TAIL)

struct swiotlb_fixture {
	struct device *dev;
	struct page *pages;	/* of the largest order, all above 4 GiB */
};

/* -------- a device and memory beyond it -------------------------------------- */

/* Whatever comes before it is held until it has come. */
static struct page *pages_above_4g(void)
{
	struct page *page, *held, *next;
	LIST_HEAD(below);

	while ((page = alloc_pages(__GFP_HIGHMEM | __GFP_NOWARN, MAX_PAGE_ORDER)) &&
	       page_to_phys(page) < 4ULL * SZ_1G)
		list_add(&page->lru, &below);
	list_for_each_entry_safe(held, next, &below, lru)
		__free_pages(held, MAX_PAGE_ORDER);
	return page;
}

static void fill(struct swiotlb_fixture *f, unsigned int nr, u8 value)
{
	void *addr = kmap_local_page(f->pages + nr);

	memset(addr, value, PAGE_SIZE);
	kunmap_local(addr);
}

static int swiotlb_test_init(struct kunit *test)
{
	struct swiotlb_fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, f);
	test->priv = f;
	f->dev = kunit_device_register(test, "swiotlb");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->dev);
	KUNIT_ASSERT_EQ(test, dma_set_mask_and_coherent(f->dev, DMA_BIT_MASK(32)), 0);
	if (!is_swiotlb_active(f->dev))
		kunit_skip(test, "no swiotlb");
	f->pages = pages_above_4g();
	if (!f->pages)
		kunit_skip(test, "no memory above 4 GiB");
	for (i = 0; i < 3; i++)
		fill(f, i, i + 1);
	return 0;
}

static void swiotlb_test_exit(struct kunit *test)
{
	struct swiotlb_fixture *f = test->priv;

	if (f && f->pages)
		__free_pages(f->pages, MAX_PAGE_ORDER);
}

static void expect_page(struct kunit *test, unsigned int nr, unsigned int from, unsigned int to,
			u8 value)
{
	struct swiotlb_fixture *f = test->priv;
	void *addr = kmap_local_page(f->pages + nr);

	KUNIT_EXPECT_NULL_MSG(test, memchr_inv(addr + from, value, to - from), "page %u, %u to %u",
			      nr, from, to);
	kunmap_local(addr);
}

/* Map the three pages; returns the copy that the device is given. */
static u8 *test_map(struct kunit *test, enum dma_data_direction dir, dma_addr_t *addr)
{
	struct swiotlb_fixture *f = test->priv;

	KUNIT_ASSERT_TRUE(test, PageHighMem(f->pages));
	*addr = dma_map_page(f->dev, f->pages, OFFSET, SIZE, dir);
	KUNIT_ASSERT_EQ(test, dma_mapping_error(f->dev, *addr), 0);
	KUNIT_ASSERT_NOT_NULL(test, swiotlb_find_pool(f->dev, dma_to_phys(f->dev, *addr)));
	KUNIT_EXPECT_LE(test, *addr + SIZE - 1, DMA_BIT_MASK(32));
	return phys_to_virt(dma_to_phys(f->dev, *addr));
}

/* What the device is given has three parts, a value in each. */
static void expect_copy(struct kunit *test, const u8 *copy, u8 head, u8 middle, u8 tail)
{
	KUNIT_EXPECT_NULL(test, memchr_inv(copy, head, HEAD));
	KUNIT_EXPECT_NULL(test, memchr_inv(copy + HEAD, middle, PAGE_SIZE));
	KUNIT_EXPECT_NULL(test, memchr_inv(copy + HEAD + PAGE_SIZE, tail, TAIL));
}

/* -------- both directions ---------------------------------------------------- */

/* A device that is given other bytes writes them to the disk. */
static void bounce_reads_high_memory(struct kunit *test)
{
	struct swiotlb_fixture *f = test->priv;
	dma_addr_t addr;
	u8 *copy;

	copy = test_map(test, DMA_TO_DEVICE, &addr);
	expect_copy(test, copy, 1, 2, 3);

	/* What the CPU writes later reaches the device by a sync, in part or as a whole. */
	fill(f, 1, 12);
	fill(f, 2, 13);
	dma_sync_single_for_device(f->dev, addr + HEAD + 8, PAGE_SIZE - 8, DMA_TO_DEVICE);
	KUNIT_EXPECT_NULL(test, memchr_inv(copy + HEAD, 2, 8));
	KUNIT_EXPECT_NULL(test, memchr_inv(copy + HEAD + 8, 12, PAGE_SIZE - 8));
	KUNIT_EXPECT_NULL(test, memchr_inv(copy + HEAD + PAGE_SIZE, 3, TAIL));
	dma_sync_single_for_device(f->dev, addr, SIZE, DMA_TO_DEVICE);
	expect_copy(test, copy, 1, 12, 13);
	dma_unmap_page(f->dev, addr, SIZE, DMA_TO_DEVICE);
}

/* What the device wrote, and round it what was there. */
static void expect_pages(struct kunit *test, u8 head, u8 middle, u8 tail)
{
	expect_page(test, 0, 0, OFFSET, 1);
	expect_page(test, 0, OFFSET, PAGE_SIZE, head);
	expect_page(test, 1, 0, PAGE_SIZE, middle);
	expect_page(test, 2, 0, TAIL, tail);
	expect_page(test, 2, TAIL, PAGE_SIZE, 3);
}

static void bounce_writes_high_memory(struct kunit *test)
{
	struct swiotlb_fixture *f = test->priv;
	dma_addr_t addr;
	u8 *copy;

	copy = test_map(test, DMA_FROM_DEVICE, &addr);
	memset(copy, 21, SIZE);
	dma_sync_single_for_cpu(f->dev, addr, SIZE, DMA_FROM_DEVICE);
	expect_pages(test, 21, 21, 21);

	memset(copy, 31, HEAD);
	memset(copy + HEAD, 32, PAGE_SIZE);
	memset(copy + HEAD + PAGE_SIZE, 33, TAIL);
	dma_unmap_page(f->dev, addr, SIZE, DMA_FROM_DEVICE);
	expect_pages(test, 31, 32, 33);
}

static struct kunit_case swiotlb_cases[] = {
	KUNIT_CASE(bounce_reads_high_memory),
	KUNIT_CASE(bounce_writes_high_memory),
	{}
};

static struct kunit_suite swiotlb_suite = {
	.name = "swiotlb_highmem",
	.init = swiotlb_test_init,
	.exit = swiotlb_test_exit,
	.test_cases = swiotlb_cases,
};
kunit_test_suite(swiotlb_suite);

MODULE_DESCRIPTION("KUnit tests for swiotlb with high memory");
MODULE_LICENSE("GPL");
