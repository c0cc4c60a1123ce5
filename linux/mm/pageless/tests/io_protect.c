// SPDX-License-Identifier: GPL-2.0
/*
 * Bios that bring their protection information along: one T10 tuple for each
 * block, made here by the pattern and not by the block layer, so that a device
 * that checks it finds what was lost or moved on the way.
 */
#include "io_test.h"

#include <linux/blk-integrity.h>
#include <linux/crc-t10dif.h>
#include <linux/slab.h>

#define MAX_TUPLES	SZ_8K

static __be16 guard_tag(struct lane *l, unsigned int pos)
{
	u32 block[SECTOR_SIZE / sizeof(u32)];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(block); i++)
		block[i] = io_pattern(l, pos + i * sizeof(u32));
	return cpu_to_be16(crc_t10dif((u8 *)block, sizeof(block)));
}

static struct t10_pi_tuple tuple(struct lane *l, unsigned int nr)
{
	return (struct t10_pi_tuple) {
		.guard_tag = guard_tag(l, nr << SECTOR_SHIFT),
		.ref_tag = cpu_to_be32(l->sector + nr),
	};
}

/**
 * io_tuples_begin() - from now on, let bios have tuples
 * @l: lane
 *
 * Return: 0, -EOPNOTSUPP if the target has no such tuples, or -ENOMEM.
 */
int io_tuples_begin(struct lane *l)
{
	struct blk_integrity *bi = blk_get_integrity(l->t->bdev->bd_disk);

	if (!bi || bi->csum_type != BLK_INTEGRITY_CSUM_CRC || bi->pi_offset ||
	    bi->tuple_size != sizeof(*l->tuples) || l->t->block != SECTOR_SIZE)
		return -EOPNOTSUPP;
	l->wrong = -1;
	l->tuples = kcalloc(MAX_TUPLES, sizeof(*l->tuples), GFP_KERNEL);
	return l->tuples ? 0 : -ENOMEM;
}

/**
 * io_tuples_end() - no more
 * @l: lane
 */
void io_tuples_end(struct lane *l)
{
	kfree(l->tuples);
	l->tuples = NULL;
}

/**
 * io_tuples_attach() - give a bio its tuples, or room for those that it reads
 * @l: lane
 * @bio: a bio that nobody has submitted yet
 *
 * Return: 0 or an errno.
 */
int io_tuples_attach(struct lane *l, struct bio *bio)
{
	unsigned int nr = bio_sectors(bio), len = nr * sizeof(*l->tuples), i;
	struct bio_integrity_payload *bip;

	if (nr > MAX_TUPLES)
		return -E2BIG;
	memset(l->tuples, 0xff, len);
	for (i = 0; i < nr && op_is_write(bio_op(bio)); i++)
		l->tuples[i] = tuple(l, i);
	if (l->wrong >= 0)
		((u8 *)l->tuples)[l->wrong] ^= 1;
	bip = bio_integrity_alloc(bio, GFP_KERNEL, 1);
	if (IS_ERR(bip))
		return PTR_ERR(bip);
	bip_set_seed(bip, bio->bi_iter.bi_sector);
	if (bio_integrity_add_page(bio, virt_to_page(l->tuples), len,
				   offset_in_page(l->tuples)) != len)
		return -E2BIG;
	return 0;
}

/**
 * io_tuples_check() - compare the tuples that a bio has read
 * @l: lane
 *
 * Return: 0 or -EBADMSG.
 */
int io_tuples_check(struct lane *l)
{
	unsigned int i, nr = l->len >> SECTOR_SHIFT;

	for (i = 0; i < nr; i++) {
		struct t10_pi_tuple want = tuple(l, i);

		if (!memcmp(&want, &l->tuples[i], sizeof(want)))
			continue;
		pr_err("%pg: tuple of sector %llu: wanted %8ph, got %8ph\n", l->t->bdev,
		       l->sector + i, &want, &l->tuples[i]);
		return -EBADMSG;
	}
	return 0;
}
