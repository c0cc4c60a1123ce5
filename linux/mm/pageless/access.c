// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel reads and writes page-less user memory where it would otherwise
 * take a reference to a page: ptrace, /proc/PID/mem, process_vm_readv(), core
 * dumps, poisoning of one's own memory.
 */
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/uaccess.h>
#include "pageless.h"

/* A fault and the look-up after it can be undone by writeback and by truncate. */
#define PAGELESS_FOLLOW_TRIES	8

/*
 * Find a present, if asked writable, page-less entry for @addr, faulting it in.
 * On success the page table lock is held until follow_pfnmap_end(), and with it
 * the range: whoever removes a range zaps its entries before the linear map.
 */
static int pageless_follow(struct follow_pfnmap_args *args, bool write)
{
	unsigned int fault = FAULT_FLAG_REMOTE | (write ? FAULT_FLAG_WRITE : 0);
	struct mm_struct *mm = args->vma->vm_mm;
	int tries, err;

	mmap_assert_locked(mm);
	for (tries = 0; tries < PAGELESS_FOLLOW_TRIES; tries++) {
		if (!follow_pfnmap_start(args)) {
			if (!args->special || !pageless_pfn(args->pfn)) {
				follow_pfnmap_end(args);
				return -EFAULT;
			}
			if (!write || args->writable)
				return 0;
			follow_pfnmap_end(args);
		}
		err = fixup_user_fault(mm, args->address, fault, NULL);
		if (err)
			return err;
	}
	return -EFAULT;
}

/**
 * pageless_vma_access() - &vm_operations_struct.access for DAX mappings
 * @vma: the mapping
 * @addr: where
 * @buf: kernel buffer
 * @len: bytes wanted
 * @write: copy to user memory instead of from it
 *
 * Called when get_user_pages() found no page. A private mapping is never
 * written here: get_user_pages() has given it a page by copy-on-write.
 *
 * Context: mmap_lock held, may sleep.
 * Return: bytes copied, within one page, or -EFAULT, or -EIO for poisoned memory.
 */
int pageless_vma_access(struct vm_area_struct *vma, unsigned long addr,
			void *buf, int len, int write)
{
	struct follow_pfnmap_args args = { .vma = vma, .address = addr };
	unsigned long left = 0;
	void *mem;
	int err;

	if (!vma_is_pageless(vma) || (write && !(vma->vm_flags & VM_SHARED)))
		return -EFAULT;

	len = min_t(unsigned long, len, PAGE_SIZE - offset_in_page(addr));
	err = pageless_follow(&args, write);
	if (err)
		return err;

	mem = kmap_local_pfn_t(__pfn_to_pfn_t(args.pfn, PFN_DEV));
	if (write)
		memcpy(mem + offset_in_page(addr), buf, len);
	else
		left = copy_mc_to_kernel(buf, mem + offset_in_page(addr), len);
	kunmap_local(mem);
	follow_pfnmap_end(&args);
	return left ? -EIO : len;
}
EXPORT_SYMBOL_GPL(pageless_vma_access);

/**
 * pageless_user_pfn() - frame behind an address of the current process
 * @addr: the address
 * @pfn: the answer
 *
 * Context: takes mmap_lock, may sleep and fault. Nothing keeps the frame where
 * it is when this returns.
 * Return: 0, or -EFAULT when there is no page-less frame at @addr.
 */
int pageless_user_pfn(unsigned long addr, unsigned long *pfn)
{
	struct follow_pfnmap_args args = { .address = addr };
	struct mm_struct *mm = current->mm;
	int err = -EFAULT;

	mmap_read_lock(mm);
	args.vma = vma_lookup(mm, addr);
	if (args.vma && vma_is_pageless(args.vma))
		err = pageless_follow(&args, false);
	if (!err) {
		*pfn = args.pfn;
		follow_pfnmap_end(&args);
	}
	mmap_read_unlock(mm);
	return err;
}

/**
 * pageless_copy_page() - copy a frame for copy-on-write
 * @to: the new page
 * @pfn: the frame, kept by the caller's page table lock
 *
 * Also the zero page, which holes of such mappings have: its address is found in
 * the same way as that of a page-less frame.
 *
 * Context: atomic.
 * Return: 0, or -EHWPOISON.
 */
int pageless_copy_page(struct page *to, unsigned long pfn)
{
	void *mem = kmap_local_page(to);
	unsigned long left;

	left = copy_mc_to_kernel(mem, __va(PFN_PHYS(pfn)), PAGE_SIZE);
	kunmap_local(mem);
	flush_dcache_page(to);
	return left ? -EHWPOISON : 0;
}

#ifdef CONFIG_ELF_CORE
/**
 * pageless_dump_page() - copy of a page of the dumping process, for its core file
 * @addr: page aligned user address
 *
 * Context: called by get_dump_page() without mmap_lock; takes it, may sleep.
 * Return: a page that the caller puts, or NULL when there is nothing to dump.
 */
struct page *pageless_dump_page(unsigned long addr)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	struct page *page = NULL;

	if (mmap_read_lock_killable(mm))
		return NULL;
	vma = vma_lookup(mm, addr);
	if (vma && vma_is_pageless(vma))
		page = alloc_page(GFP_KERNEL);
	if (page && pageless_vma_access(vma, addr, page_address(page),
					PAGE_SIZE, 0) != PAGE_SIZE) {
		__free_page(page);
		page = NULL;
	}
	mmap_read_unlock(mm);
	return page;
}
#endif
