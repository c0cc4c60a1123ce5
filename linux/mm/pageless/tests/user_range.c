// SPDX-License-Identifier: GPL-2.0
/*
 * Page-less frames in the address space of a KUnit thread. It maps a file whose
 * frames are those of a range at physical addresses that nothing is behind.
 */
#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/ioport.h>
#include <linux/kthread.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <asm/tlb.h>
#include "../pageless.h"
#include "user_range.h"

/* -------- the file ----------------------------------------------------------- */

static vm_fault_t user_range_insert(struct vm_fault *vmf, unsigned int order, unsigned long pgoff)
{
	struct user_range *f = vmf->vma->vm_file->private_data;
	pfn_t pfn = __pfn_to_pfn_t(f->pfn + pgoff, PFN_DEV);
	bool write = vmf->flags & FAULT_FLAG_WRITE;

	if (order == PUD_ORDER)
		return vmf_insert_pfn_pud(vmf, pfn, write);
	if (order == PMD_ORDER)
		return vmf_insert_pfn_pmd(vmf, pfn, write);
	if (write)
		return vmf_insert_mixed_mkwrite(vmf->vma, vmf->address, pfn);
	return vmf_insert_mixed(vmf->vma, vmf->address, pfn);
}

static vm_fault_t user_range_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	struct vm_area_struct *vma = vmf->vma;
	struct user_range *f = vma->vm_file->private_data;
	unsigned long addr = ALIGN_DOWN(vmf->address, PAGE_SIZE << order);
	vm_fault_t ret;

	if (order != f->order || addr < vma->vm_start ||
	    addr + (PAGE_SIZE << order) > vma->vm_end)
		return VM_FAULT_FALLBACK;
	if (++f->faults == f->fatal_fault)
		send_sig(SIGKILL, current, 1);
	filemap_invalidate_lock_shared(f->file->f_mapping);
	ret = user_range_insert(vmf, order, linear_page_index(vma, addr));
	filemap_invalidate_unlock_shared(f->file->f_mapping);
	return ret;
}

static vm_fault_t user_range_fault(struct vm_fault *vmf)
{
	vm_fault_t ret = user_range_huge_fault(vmf, 0);

	return ret == VM_FAULT_FALLBACK ? VM_FAULT_SIGBUS : ret;
}

/* That it is there makes entries read-only until they are written. */
static vm_fault_t user_range_pfn_mkwrite(struct vm_fault *vmf)
{
	return 0;
}

static const struct vm_operations_struct user_range_vm_ops = {
	.fault = user_range_fault,
	.huge_fault = user_range_huge_fault,
	.pfn_mkwrite = user_range_pfn_mkwrite,
};

/* As the DAX file systems and dax_prepare_vma() do it. */
static int user_range_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_ops = &user_range_vm_ops;
	vm_flags_set(vma, VM_MIXEDMAP);
	set_bit(MMF_HAS_PAGELESS, &vma->vm_mm->flags);
	return 0;
}

static const struct file_operations user_range_fops = {
	.mmap = user_range_mmap,
};

void user_unmap_file(struct user_range *f)
{
	unmap_mapping_range(f->file->f_mapping, 0, 0, 1);
}

static void user_range_revoke(struct pageless_range *range)
{
	struct user_range *f = range->owner;

	if (!f->keep_mappings)
		user_unmap_file(f);
}

static const struct pageless_ops user_range_ops = {
	.revoke = user_range_revoke,
};

/* -------- set-up ------------------------------------------------------------- */

unsigned long user_pins(struct user_range *f)
{
	size_t bytes;

	return pageless_pins_count(&f->range, &bytes);
}

bool user_pinned(struct user_range *f, unsigned long frame, unsigned long nr)
{
	unsigned long first;

	return pageless_span_pinned(f->pfn + frame, nr, &first);
}

void user_range_exit(struct kunit *test)
{
	struct user_range *f = test->priv;

	if (!f)
		return;
	if (f->next.size)
		pageless_unregister(&f->next);
	if (f->range.size && user_pins(f)) {
		/* Its removal would wait for ever. */
		KUNIT_FAIL(test, "%lu pins were not given back", user_pins(f));
		return;
	}
	if (f->range.size)
		pageless_unregister(&f->range);
	if (f->file)
		fput(f->file);
	/* The thread has ended with the reference of kthread_use_mm(). */
	if (f->mm)
		mmdrop(f->mm);
	kfree(f);
}

void user_range_add(struct kunit *test, struct pageless_range *range, unsigned long pfn,
		    unsigned long nr)
{
	*range = (struct pageless_range) {
		.start = PFN_PHYS(pfn),
		.size = PFN_PHYS(nr),
		.name = "kunit",
		.ops = &user_range_ops,
		.owner = test->priv,
		.nid = NUMA_NO_NODE,
	};
	if (pageless_register(range)) {
		range->size = 0;
		KUNIT_FAIL_AND_ABORT(test, "no page-less range");
	}
}

int user_range_init(struct kunit *test)
{
	struct user_range *f = kzalloc(sizeof(*f), GFP_KERNEL);
	phys_addr_t base, end = mhp_get_pluggable_range(true).end;
	struct file *file;

	KUNIT_ASSERT_NOT_NULL(test, f);
	test->priv = f;
	/* From 512 GiB on: above the RAM and the NVDIMMs of the lab's small machines. */
	for (base = 512ULL * SZ_1G; base < end - 3ULL * SZ_1G; base += SZ_1G)
		if (region_intersects(base, 3ULL * SZ_1G, 0, IORES_DESC_NONE) == REGION_DISJOINT)
			break;
	if (base >= end - 3ULL * SZ_1G)
		kunit_skip(test, "no free physical addresses");
	f->pfn = PHYS_PFN(base);

	file = anon_inode_create_getfile("[kunit]", &user_range_fops, f, O_RDWR, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	file_inode(file)->i_flags |= S_DAX;
	f->file = file;
	user_range_add(test, &f->range, f->pfn, USER_RANGE_PFNS + 8);

	f->mm = mm_alloc();
	KUNIT_ASSERT_NOT_NULL(test, f->mm);
	f->mm->task_size = TASK_SIZE;
	kthread_use_mm(f->mm);
	return 0;
}

void user_map(struct kunit *test, struct file *file, unsigned long addr, unsigned long frame,
	      unsigned long nr, unsigned long prot)
{
	unsigned long flags = file ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;

	KUNIT_ASSERT_EQ(test, vm_mmap(file, addr, nr * PAGE_SIZE, prot, flags | MAP_FIXED,
				      frame * PAGE_SIZE), addr);
}

void user_fault(struct kunit *test, unsigned long addr, unsigned long nr, bool write)
{
	struct user_range *f = test->priv;
	unsigned long end = addr + nr * PAGE_SIZE;
	int err = 0;

	mmap_read_lock(f->mm);
	for (; addr < end && !err; addr += PAGE_SIZE << f->order)
		err = fixup_user_fault(f->mm, addr, write ? FAULT_FLAG_WRITE : 0, NULL);
	mmap_read_unlock(f->mm);
	KUNIT_ASSERT_EQ(test, err, 0);
}

/* Map frames of the range by entries of an order, writable. */
void user_map_frames(struct kunit *test, unsigned long addr, unsigned long frame,
		     unsigned long nr, unsigned int order)
{
	struct user_range *f = test->priv;

	f->order = order;
	user_map(test, f->file, addr, frame, nr, PROT_READ | PROT_WRITE);
	user_fault(test, addr, nr, true);
	f->faults = 0;
}

/* Ordinary memory, of pages that are there. */
void user_map_pages(struct kunit *test, unsigned long addr, unsigned long nr)
{
	struct user_range *f = test->priv;

	f->order = 0;
	user_map(test, NULL, addr, 0, nr, PROT_READ | PROT_WRITE);
	user_fault(test, addr, nr, true);
}

void user_protect(struct kunit *test, unsigned long addr, unsigned long nr, unsigned long flags)
{
	struct user_range *f = test->priv;
	struct vm_area_struct *vma, *prev;
	struct mmu_gather tlb;
	int err;

	VMA_ITERATOR(vmi, f->mm, addr);

	mmap_write_lock(f->mm);
	prev = vma_prev(&vmi);
	vma = vma_next(&vmi);
	tlb_gather_mmu(&tlb, f->mm);
	err = mprotect_fixup(&vmi, &tlb, vma, &prev, addr, addr + nr * PAGE_SIZE,
			     (vma->vm_flags & ~VM_ACCESS_FLAGS) | flags);
	tlb_finish_mmu(&tlb);
	mmap_write_unlock(f->mm);
	KUNIT_ASSERT_EQ(test, err, 0);
}

long user_pin(struct kunit *test, unsigned long addr, unsigned long nr, unsigned int flags)
{
	struct user_range *f = test->priv;

	f->nr = USER_EXTENTS;
	return pin_user_pfns(addr, nr, flags, f->extents, &f->nr);
}

void user_unpin(struct kunit *test)
{
	struct user_range *f = test->priv;

	unpin_user_pfns(f->extents, f->nr, false);
	f->nr = 0;
	KUNIT_EXPECT_EQ(test, user_pins(f), 0);
}

void user_expect_frames(struct kunit *test, unsigned int i, unsigned long frame,
			unsigned int nr, bool whole)
{
	struct user_range *f = test->priv;
	struct pfn_extent *extent = &f->extents[i];

	KUNIT_ASSERT_GT_MSG(test, f->nr, i, "extent %u", i);
	KUNIT_EXPECT_EQ_MSG(test, extent->pfn.val, (f->pfn + frame) | PFN_DEV, "extent %u", i);
	KUNIT_EXPECT_EQ_MSG(test, extent->nr, nr, "extent %u", i);
	KUNIT_EXPECT_EQ_MSG(test, extent->whole, whole, "extent %u", i);
}

struct page *user_page_at(struct kunit *test, unsigned long addr)
{
	struct page *page;

	KUNIT_ASSERT_EQ(test, pin_user_pages_fast(addr, 1, 0, &page), 1);
	unpin_user_page(page);
	return page;
}

void user_expect_pages(struct kunit *test, unsigned int i, unsigned long addr, unsigned int nr)
{
	struct user_range *f = test->priv;
	struct pfn_extent *extent = &f->extents[i];

	KUNIT_ASSERT_GT_MSG(test, f->nr, i, "extent %u", i);
	KUNIT_EXPECT_FALSE_MSG(test, pfn_extent_pageless(extent), "extent %u", i);
	KUNIT_EXPECT_EQ_MSG(test, pfn_t_to_pfn(extent->pfn), page_to_pfn(user_page_at(test, addr)),
			    "extent %u", i);
	KUNIT_EXPECT_EQ_MSG(test, extent->nr, nr, "extent %u", i);
	KUNIT_EXPECT_FALSE_MSG(test, extent->whole, "extent %u", i);
}

int user_page_pins(struct page *page)
{
	return page_ref_count(page) / GUP_PIN_COUNTING_BIAS;
}

/* -------- orders -------------------------------------------------------------- */

static const unsigned int orders[] = { 0, PMD_ORDER, PUD_ORDER };

static void order_desc(const unsigned int *order, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "entries of %lu KiB", PAGE_SIZE << *order >> 10);
}
KUNIT_ARRAY_PARAM(order, orders, order_desc);

const void *user_order_gen_params(const void *prev, char *desc)
{
	return order_gen_params(prev, desc);
}
