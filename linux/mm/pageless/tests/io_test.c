// SPDX-License-Identifier: GPL-2.0
/*
 * A source of page-less bios: writes a pattern from memory without struct pages
 * to any block device, reads it back into such memory and into ordinary pages,
 * and compares. In debugfs, pageless_io/cases lists the cases, and
 *
 *	echo "SOURCE[,SOURCE2] TARGET CASE [SEED [ALIGN]]" >pageless_io/run
 *
 * runs one and fails with its errno: EBADMSG for wrong data. The cases ranges, nowait
 * and poll fail with EOPNOTSUPP if they are not for this target, as any may if its I/O
 * does. The first difference leaves a line in the log.
 *
 * SOURCE is a page-less pmem device; ALIGN is for drivers that want more than their
 * dma_alignment says. The contents of SOURCE and TARGET are lost.
 */
#include "io_test.h"

#include <linux/dax.h>
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/part_stat.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#define SOURCE_SIZE	SZ_16M		/* used of each SOURCE */
#define PAGES_SIZE	SZ_4M		/* ordinary pages */
#define TARGET_SIZE	SZ_64M		/* used of TARGET, at most */
#define MAX_LANES	32

/* -------- cases --------------------------------------------------------------- */

static int case_aligned(struct lane *l)
{
	int i, err = 0;

	for (i = 0; i < 64 && !err; i++) {
		io_plan_one(l, io_random(l, 64) * PAGE_SIZE, SZ_4K);
		err = io_transfer(l, 0, io_submit_plain);
	}
	return err;
}

static int case_lengths(struct lane *l)
{
	unsigned int step = max_t(unsigned int, l->t->align, SECTOR_SIZE), len, off;
	int err = 0;

	for (len = l->t->block; len <= SZ_64K && !err; len += l->t->block) {
		for (off = 0; off < PAGE_SIZE && !err; off += step) {
			io_plan_one(l, off, len);
			err = io_transfer(l, 0, io_submit_plain);
		}
		io_plan_one(l, io_random_gap(l), len);
		err = err ?: io_transfer(l, 0, io_submit_plain);
	}
	return err;
}

static int case_big(struct lane *l)
{
	unsigned int size, i;
	int err = 0;

	for (size = SZ_1M; size <= SZ_8M && !err; size *= 8) {
		io_plan_one(l, 0, size);
		err = io_transfer(l, 0, io_submit_plain);
		io_plan_begin(l);
		for (i = 0; i < BIO_MAX_VECS; i++)
			io_plan_add(l, LESS, SZ_4K, size / BIO_MAX_VECS);
		io_plan_end(l);
		err = err ?: io_transfer(l, 0, io_submit_plain);
	}
	return err;
}

static int case_segments(struct lane *l)
{
	unsigned int n;
	int err = 0;

	for (n = 1; n <= BIO_MAX_VECS && !err; n += n < 16 || n > 250 ? 1 : 7) {
		io_plan_random(l, BIT(LESS), n, SZ_4K);
		err = io_transfer(l, 0, io_submit_plain);
	}
	return err;
}

static int many_random(struct lane *l, unsigned long arenas, blk_opf_t flags,
		       io_submit_fn *submit)
{
	int i, err = 0;

	for (i = 0; i < 32 && !err; i++) {
		io_plan_random(l, arenas, 1 + io_random(l, 32), SZ_8K);
		err = io_transfer(l, flags, submit);
	}
	return err;
}

static int case_mixed(struct lane *l)
{
	return many_random(l, BIT(LESS) | BIT(PAGES), 0, io_submit_plain);
}

static int case_ranges(struct lane *l)
{
	int err;

	if (!l->arena[MORE].size)
		return -EOPNOTSUPP;
	/* The last bytes of the first source and the first ones of the second. */
	io_plan_begin(l);
	io_plan_add(l, LESS, l->arena[LESS].size - SZ_8K, SZ_8K);
	io_plan_add(l, MORE, 0, SZ_8K);
	io_plan_end(l);
	err = io_transfer(l, 0, io_submit_plain);
	return err ?: many_random(l, BIT(LESS) | BIT(MORE), 0, io_submit_plain);
}

static int case_split(struct lane *l)
{
	int err = 0;

	io_plan_random(l, BIT(LESS), 8, SZ_8K);
	for (l->cut = l->t->block; l->cut < l->len && !err; l->cut += l->t->block)
		err = io_transfer(l, 0, io_submit_split);
	return err;
}

static int case_chain(struct lane *l)
{
	return many_random(l, BIT(LESS), 0, io_submit_chain);
}

static int case_clone(struct lane *l)
{
	return many_random(l, BIT(LESS), 0, io_submit_clone);
}

/* Bios of more than a chunk of the gate. The block layer counts flushes for drivers with requests. */
static int flush_big(struct lane *l)
{
	struct block_device *bdev = l->t->bdev;
	/* One before the data, and without FUA one behind it. */
	unsigned int wanted = 1 + !bdev_fua(bdev);
	unsigned long flushes = part_stat_read(bdev->bd_disk->part0, ios[STAT_FLUSH]);
	int err;

	io_plan_one(l, 0, SZ_1M);
	err = io_transfer(l, REQ_PREFLUSH | REQ_FUA, io_submit_plain);
	if (err || !queue_is_mq(bdev_get_queue(bdev)) || !bdev_write_cache(bdev))
		return err;
	flushes = part_stat_read(bdev->bd_disk->part0, ios[STAT_FLUSH]) - flushes;
	if (flushes >= wanted)
		return 0;
	pr_err("%pg: wanted %u flushes, got %lu\n", bdev, wanted, flushes);
	return -EBADMSG;
}

static int case_flush(struct lane *l)
{
	int err;

	err = many_random(l, BIT(LESS), REQ_PREFLUSH, io_submit_plain);
	err = err ?: many_random(l, BIT(LESS), REQ_FUA, io_submit_plain);
	err = err ?: many_random(l, BIT(LESS), REQ_PREFLUSH | REQ_FUA, io_submit_chain);
	return err ?: flush_big(l);
}

static int case_nowait(struct lane *l)
{
	unsigned int i, refused;
	int err = 0;

	if (!bdev_nowait(l->t->bdev))
		return -EOPNOTSUPP;
	/* Little that a driver would split, which is refused. */
	for (i = 0; i < 32 && !err; i++) {
		io_plan_one(l, io_random_gap(l), SZ_4K);
		err = io_transfer(l, 0, io_submit_nowait);
	}
	refused = l->refused;
	err = err ?: many_random(l, BIT(LESS), 0, io_submit_nowait);
	if (l->refused)
		pr_info("%pg: %u bios with REQ_NOWAIT were refused\n", l->t->bdev, l->refused);
	return err ?: refused > i ? -EAGAIN : 0;
}

static int case_poll(struct lane *l)
{
	if (!(bdev_get_queue(l->t->bdev)->limits.features & BLK_FEAT_POLL))
		return -EOPNOTSUPP;
	return many_random(l, BIT(LESS), 0, io_submit_poll);
}

/* Operations without data, between transfers to the same blocks. */
static int case_zeroes(struct lane *l)
{
	struct block_device *bdev = l->t->bdev;
	sector_t nr;
	int i, err = 0;

	for (i = 0; i < 8 && !err; i++) {
		io_plan_random(l, BIT(LESS), 16, SZ_8K);
		nr = l->len >> SECTOR_SHIFT;
		err = io_transfer(l, 0, io_submit_plain);
		l->seed = 0;
		err = err ?: blkdev_issue_zeroout(bdev, l->sector, nr, GFP_KERNEL, 0);
		err = err ?: io_read_and_check(l, io_submit_plain);
		/* 0 where the target has no discard. */
		err = err ?: blkdev_issue_discard(bdev, l->sector, nr, GFP_KERNEL);
		l->seed = 1;
		err = err ?: io_transfer(l, 0, io_submit_plain);
	}
	return err;
}

static int case_inflight(struct lane *lanes)
{
	struct lane *l, *end = lanes + lanes->t->nr_lanes;
	int i, err = 0;

	for (i = 0; i < 16 && !err; i++) {
		for (l = lanes; l < end; l++)
			io_plan_random(l, BIT(LESS) | BIT(PAGES), 1 + io_random(l, 16), SZ_8K);
		err = io_transfer_all(lanes->t);
	}
	return err;
}

/* Any of the above. */
static int case_fuzz(struct lane *l)
{
	static io_submit_fn * const submits[] = {
		io_submit_plain, io_submit_chain, io_submit_clone, io_submit_nowait,
	};
	/* The last one is for queues that take REQ_NOWAIT. */
	unsigned int nr_submits = ARRAY_SIZE(submits) - !bdev_nowait(l->t->bdev);
	int rounds = l->t->nr_lanes > 1 ? 25 : 100, err = 0;
	unsigned long arenas;

	while (rounds-- && !err) {
		arenas = BIT(LESS) | (l->arena[MORE].size ? BIT(MORE) : 0);
		if (io_random(l, 2))
			arenas |= BIT(PAGES);
		io_plan_random(l, arenas, 1 + io_random(l, BIO_MAX_VECS),
			       (1 + io_random(l, 16)) * SECTOR_SIZE);
		err = io_transfer(l, io_random(l, 4) ? 0 : REQ_FUA,
				  submits[io_random(l, nr_submits)]);
	}
	return err;
}

static void fuzz_work(struct work_struct *work)
{
	struct lane *l = container_of(work, struct lane, work);

	l->err = case_fuzz(l);
}

static int case_threads(struct lane *lanes)
{
	struct workqueue_struct *wq = alloc_workqueue("pageless_io", WQ_UNBOUND, MAX_LANES);
	struct lane *l, *end = lanes + lanes->t->nr_lanes;
	int err = 0;

	if (!wq)
		return -ENOMEM;
	for (l = lanes; l < end; l++)
		queue_work(wq, &l->work);
	destroy_workqueue(wq);
	for (l = lanes; l < end; l++)
		err = err ?: l->err;
	return err;
}

static int expect_eio(struct lane *l, unsigned int len)
{
	return io_expect_error(l, REQ_OP_READ, len, -EIO) ?:
	       io_expect_error(l, REQ_OP_WRITE, len, -EIO);
}

static int case_wrong(struct lane *l)
{
	sector_t end = bdev_nr_sectors(l->t->bdev);
	unsigned int block = l->t->block;
	int err;

	io_plan_one(l, 0, SZ_4K);
	l->sector = end - (block >> SECTOR_SHIFT);
	err = expect_eio(l, 2 * block);
	l->sector = end;
	err = err ?: expect_eio(l, block);
	/* Drivers without requests trust their callers. */
	if (queue_is_mq(bdev_get_queue(l->t->bdev))) {
		l->sector = l->first;
		err = err ?: expect_eio(l, block / 2);
		err = err ?: expect_eio(l, block + block / 2);
	}
	io_plan_one(l, 0, SZ_4K);
	return err ?: io_transfer(l, 0, io_submit_plain);
}

/*
 * The frame behind the source's last one is poisoned. Reads are not tried: what the kernel does
 * not map any more cannot be written to either.
 */
static int case_poisoned(struct lane *l)
{
	unsigned int size = l->arena[LESS].size, len;
	int err = 0;

	/* In the first chunk that the gate makes, and in a later one. */
	for (len = SZ_4K; len <= SZ_1M && !err; len *= 16) {
		io_plan_one(l, size - len, len);
		err = io_expect_error(l, REQ_OP_WRITE, len + SZ_4K, -EIO);
		io_plan_one(l, size - len, len);
		err = err ?: io_transfer(l, 0, io_submit_plain);
	}
	return err;
}

static int case_nowhere(struct lane *l)
{
	static io_submit_fn * const submits[] = {
		io_submit_plain, io_submit_chain, io_submit_clone, io_submit_nowait,
	};
	int i, err = 0;

	for (i = 0; i < 256 && !err; i++) {
		io_plan_random(l, BIT(LESS) | BIT(PAGES), 1 + io_random(l, BIO_MAX_VECS), SZ_16K);
		err = io_transfer_nowhere(l, submits[i % ARRAY_SIZE(submits)]);
	}
	return err;
}

static int protect(struct lane *l)
{
	int err;

	err = many_random(l, BIT(LESS), 0, io_submit_plain);
	err = err ?: many_random(l, BIT(LESS) | BIT(PAGES), 0, io_submit_chain);
	err = err ?: many_random(l, BIT(LESS), 0, io_submit_clone);
	/* More than a chunk of the gate. */
	io_plan_one(l, 0, SZ_1M);
	err = err ?: io_transfer(l, 0, io_submit_plain);
	/* The guard of the first block, and one in the last chunk. */
	for (l->wrong = 0; l->wrong <= 2000 * 8 && !err; l->wrong += 2000 * 8) {
		err = io_transfer(l, 0, io_submit_plain);
		if (err != -EILSEQ)
			pr_err("%pg: a wrong guard at %d: got %d\n", l->t->bdev, l->wrong, err);
		err = err == -EILSEQ ? 0 : -EBADMSG;
	}
	return err;
}

static int case_protect(struct lane *l)
{
	int err = io_tuples_begin(l);

	err = err ?: protect(l);
	io_tuples_end(l);
	return err;
}

static const struct {
	const char *name;
	unsigned int lanes;
	int (*run)(struct lane *l);
	const char *what;
} cases[] = {
	{ "aligned", 1, case_aligned, "4 KiB, aligned" },
	{ "lengths", 1, case_lengths, "every length to 64 KiB at every sector of a frame" },
	{ "big", 1, case_big, "1 MiB and 8 MiB, in one segment and in 256" },
	{ "segments", 1, case_segments, "1 to 256 segments of odd sizes" },
	{ "mixed", 1, case_mixed, "page-less and ordinary segments in one bio" },
	{ "ranges", 1, case_ranges, "segments of two sources in one bio" },
	{ "split", 1, case_split, "bios split at every block" },
	{ "chain", 1, case_chain, "bios cut into pieces that are chained" },
	{ "clone", 1, case_clone, "clones of bios" },
	{ "flush", 1, case_flush, "REQ_PREFLUSH and REQ_FUA" },
	{ "nowait", 1, case_nowait, "REQ_NOWAIT" },
	{ "poll", 1, case_poll, "REQ_POLLED" },
	{ "zeroes", 1, case_zeroes, "zeroing and discarding between transfers" },
	{ "inflight", MAX_LANES, case_inflight, "32 bios at once" },
	{ "threads", 8, case_threads, "fuzz in 8 threads" },
	{ "fuzz", 1, case_fuzz, "random segments, submitted in any way" },
	{ "wrong", 1, case_wrong, "bios that no device can do" },
	{ "poisoned", 1, case_poisoned, "writes from behind SOURCE, where poison is" },
	{ "nowhere", 1, case_nowhere, "as fuzz, for a target that keeps nothing" },
	{ "protect", 1, case_protect, "bios with protection information of their own" },
};

/* -------- set-up -------------------------------------------------------------- */

static int source_open(struct source *s, const char *path)
{
	struct block_device *bdev;
	struct dax_device *dax;
	u64 start;
	int id;
	long nr;

	s->file = bdev_file_open_by_path(path, BLK_OPEN_READ | BLK_OPEN_WRITE, s, NULL);
	if (IS_ERR(s->file))
		return PTR_ERR(s->file);
	bdev = file_bdev(s->file);
	dax = fs_dax_get_by_bdev(bdev, &start, NULL, NULL);
	if (!dax)
		return -ENXIO;
	id = dax_read_lock();
	nr = dax_direct_access(dax, PHYS_PFN(start), PHYS_PFN(bdev_nr_bytes(bdev)), DAX_ACCESS,
			       &s->addr, &s->pfn);
	if (nr > 0 && pfn_t_pageless(s->pfn))
		s->range = pageless_range_get(pfn_t_to_pfn(s->pfn));
	dax_read_unlock(id);
	fs_put_dax(dax, NULL);
	if (!s->range)
		return -ENXIO;
	/* It may have told of what is behind a partition. */
	s->nr = min_t(unsigned long, nr, PHYS_PFN(bdev_nr_bytes(bdev)));
	return s->nr < PHYS_PFN(SOURCE_SIZE) ? -ENOSPC : 0;
}

static void source_close(struct source *s)
{
	if (s->range)
		pageless_range_put(s->range);
	if (!IS_ERR_OR_NULL(s->file))
		bdev_fput(s->file);
}

static int open_memory(struct io_test *t, char *sources)
{
	char *first = strsep(&sources, ",");
	int err;

	t->pages = vmalloc(PAGES_SIZE);
	if (!t->pages)
		return -ENOMEM;
	err = source_open(&t->src[0], first);
	if (!err && sources)
		err = source_open(&t->src[1], sources);
	return err;
}

static int open_target(struct io_test *t, const char *path)
{
	t->file = bdev_file_open_by_path(path, BLK_OPEN_READ | BLK_OPEN_WRITE, &t->file, NULL);
	if (IS_ERR(t->file))
		return PTR_ERR(t->file);
	t->bdev = file_bdev(t->file);
	t->block = bdev_logical_block_size(t->bdev);
	t->align = max3(t->align, bdev_dma_alignment(t->bdev) + 1, (unsigned int)sizeof(u32));
	if (!is_power_of_2(t->align) || t->align > PAGE_SIZE || t->block > PAGE_SIZE)
		return -EINVAL;
	return bioset_init(&t->bs, BIO_POOL_SIZE, 0, BIOSET_NEED_BVECS);
}

/* Part @i of @n of @size bytes. */
static struct arena carve(void *addr, pfn_t pfn, unsigned int size, unsigned int i, unsigned int n)
{
	unsigned int part = round_down(size / n, PAGE_SIZE);

	if (pfn_t_pageless(pfn))
		pfn.val += PHYS_PFN(i * part);
	return (struct arena){ .addr = addr + i * part, .pfn = pfn, .size = part };
}

static void init_lane(struct lane *l, struct io_test *t, unsigned int i)
{
	sector_t nr = min(bdev_nr_sectors(t->bdev), TARGET_SIZE >> SECTOR_SHIFT);
	struct source *s = t->src;
	/* The end of the first source, where the second one may begin. */
	unsigned long tail = s->nr - PHYS_PFN(SOURCE_SIZE);

	l->t = t;
	init_completion(&l->done);
	INIT_WORK(&l->work, fuzz_work);
	l->nr = round_down((unsigned int)nr / t->nr_lanes, t->block >> SECTOR_SHIFT);
	l->first = i * l->nr;
	l->arena[PAGES] = carve(t->pages, (pfn_t){}, PAGES_SIZE, i, t->nr_lanes);
	l->arena[LESS] = carve(s->addr + PFN_PHYS(tail), (pfn_t){ s->pfn.val + tail },
			       SOURCE_SIZE, i, t->nr_lanes);
	if (s[1].range)
		l->arena[MORE] = carve(s[1].addr, s[1].pfn, SOURCE_SIZE, i, t->nr_lanes);
}

static int make_lanes(struct io_test *t, unsigned int n, u32 seed)
{
	unsigned int i;

	t->lanes = kvcalloc(n, sizeof(*t->lanes), GFP_KERNEL);
	if (!t->lanes)
		return -ENOMEM;
	t->nr_lanes = n;
	for (i = 0; i < n; i++) {
		init_lane(&t->lanes[i], t, i);
		prandom_seed_state(&t->lanes[i].rnd, seed + i);
	}
	return 0;
}

static void io_test_end(struct io_test *t)
{
	kvfree(t->lanes);
	bioset_exit(&t->bs);
	if (!IS_ERR_OR_NULL(t->file))
		bdev_fput(t->file);
	source_close(&t->src[1]);
	source_close(&t->src[0]);
	vfree(t->pages);
	kfree(t);
}

/* -------- debugfs --------------------------------------------------------------- */

static int run_case(char *sources, const char *target, unsigned int i, u32 seed, u32 align)
{
	struct io_test *t = kzalloc(sizeof(*t), GFP_KERNEL);
	int err;

	if (!t)
		return -ENOMEM;
	t->align = align;
	err = open_memory(t, sources);
	err = err ?: open_target(t, target);
	err = err ?: make_lanes(t, cases[i].lanes, seed);
	err = err ?: cases[i].run(t->lanes);
	io_test_end(t);
	return err;
}

static int run_line(const char *line)
{
	char sources[128], target[64], name[16];
	unsigned int seed = 1, align = 0, i;
	int err;

	if (sscanf(line, "%127s %63s %15s %u %u", sources, target, name, &seed, &align) < 3)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		if (!strcmp(cases[i].name, name))
			break;
	if (i == ARRAY_SIZE(cases))
		return -EINVAL;
	err = run_case(sources, target, i, seed, align);
	if (err)
		pr_err("%s: case %s, seed %u: error %d\n", target, name, seed, err);
	return err;
}

/* One run at a time: they share devices. */
static DEFINE_MUTEX(run_lock);

static ssize_t run_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	char *line;
	int err;

	if (len > PAGE_SIZE)
		return -E2BIG;
	line = memdup_user_nul(buf, len);
	if (IS_ERR(line))
		return PTR_ERR(line);
	err = mutex_lock_killable(&run_lock);
	if (!err) {
		err = run_line(line);
		mutex_unlock(&run_lock);
	}
	kfree(line);
	return err ?: len;
}

static const struct file_operations run_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = run_write,
};

static int cases_show(struct seq_file *m, void *unused)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		seq_printf(m, "%-8s  %s\n", cases[i].name, cases[i].what);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(cases);

static struct dentry *io_dir;

static int __init io_test_init(void)
{
	io_dir = debugfs_create_dir("pageless_io", NULL);
	debugfs_create_file("cases", 0400, io_dir, NULL, &cases_fops);
	debugfs_create_file("run", 0200, io_dir, NULL, &run_fops);
	return 0;
}
module_init(io_test_init);

static void __exit io_test_exit(void)
{
	debugfs_remove(io_dir);
}
module_exit(io_test_exit);

MODULE_DESCRIPTION("Test source of page-less bios");
MODULE_LICENSE("GPL");
