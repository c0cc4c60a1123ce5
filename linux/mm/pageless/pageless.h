/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private to mm/pageless/. The order of locks, of references and of teardown is
 * drawn here, once.
 *
 * Locks, outermost first:
 *
 *	pageless_lock		list of ranges; registration and removal
 *	  mem_hotplug_lock	sections and linear map: from check to publication
 *	    xa_lock		pageless_ranges
 *
 *	xa_lock			pageless_pins.blocks; interrupts off
 *	pageless_holders_lock	holders of a range; not held over ->revoke()
 *
 * Readers of pageless_ranges and of blocks hold rcu_read_lock() and no lock.
 *
 * References: pageless_range_get(), a pin, or a holder --> range->ref --> the linear
 * map and the memory of struct pageless_range. What a user mapping holds is nothing:
 * it is revoked.
 *
 *	register				unregister
 *	--------				----------
 *	check                   |		^  percpu_ref
 *	dead ref, pin table     |		|  release resource
 *	claim resource          |		|  memory type
 *	memory type             |		|  KASAN shadow
 *	KASAN shadow            |		|  linear map
 *	linear map              |		|  grace period
 *	                        |		|  pin table
 *	put in the xarray       |		|  take out of the xarray
 *	                        |		|  wait for the last reference
 *	                        |		|  holder->revoke(): users by kernel address
 *	                        |		|  ops->revoke(): user mappings
 *	publish: ref comes alive v  last	|  unpublish: kill ref, grace period
 *
 * A range that is being removed stays in the xarray until its last reference is
 * gone: who has one unpins by frame number, and asks whether two frames are of one
 * range.
 */
#ifndef _MM_PAGELESS_H
#define _MM_PAGELESS_H

#include <linux/pageless.h>

extern struct list_head pageless_list;
extern struct mutex pageless_lock;
extern struct xarray pageless_ranges;

/* Under RCU, or with a reference. The range may be on its way out. */
static inline struct pageless_range *pageless_find(unsigned long pfn)
{
	return xa_load(&pageless_ranges, pfn);
}

int pageless_linear_add(struct pageless_range *range);
void pageless_linear_remove(struct pageless_range *range);

void pageless_pins_init(struct pageless_range *range);
void pageless_pins_exit(struct pageless_range *range);
unsigned long pageless_pins_count(struct pageless_range *range, size_t *bytes);

#endif /* _MM_PAGELESS_H */
