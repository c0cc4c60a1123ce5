// SPDX-License-Identifier: GPL-2.0
/*
 * mm/pageless/pin.c under threads: those who pin for I/O, those who truncate, who
 * wait, who count, a reaper, and one who takes a range away and brings it back.
 *
 *	pinner				truncater
 *	------				---------
 *	pin				mapped = 0
 *	mapped? else unpin		not pinned? else wait or give up
 *	I/O: freed must be 0		freed = 1, for a while
 *	unpin				freed = 0; mapped = 1
 *
 * A pinner who finds a frame freed during its I/O would have written into another
 * file. Usage: pin_threads [SECONDS]. Ends with status 0, or with the first failure.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>
#include "kernel.h"
#include "../../../mm/pageless/pageless.h"

#define CHUNK		PAGELESS_CHUNK_PFNS
#define FIRST_CHUNK	16
#define NR_CHUNKS	6
#define FIRST		(FIRST_CHUNK * CHUNK)
#define NR_FRAMES	(NR_CHUNKS * CHUNK)

#define load(x)		__atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define store(x, v)	(drain(), __atomic_store_n(&(x), v, __ATOMIC_RELEASE))
#define count(x)	__atomic_fetch_add(&(x), 1, __ATOMIC_RELAXED)

char grace_period;
__thread unsigned int this_cpu;
void *per_cpu_area[CPUS][PER_CPU_WORDS];
__thread struct store_buffer stores;
DEFINE_XARRAY(pageless_ranges);
extern int nr_allocated;		/* ../shared/linux.c */

/*
 * The first range ends, and the second one begins, within a chunk; the second one
 * ends within one as well, where the third one begins. That is the one that goes.
 */
static const struct {
	unsigned long first, nr;
} layout[] = {
	{ FIRST + 3, 2 * CHUNK + 7 },
	{ FIRST + 2 * CHUNK + 10, 2 * CHUNK + 20 },
	{ FIRST + 4 * CHUNK + 30, CHUNK + 30 },
};
#define NR_RANGES	3
#define REMOVED		2

static struct pageless_range *ranges[NR_RANGES];
static bool alive[NR_RANGES];

/* A page table of small and of huge entries, and what the file system thinks. */
static atomic_t mapped[NR_FRAMES], huge[NR_CHUNKS];
static bool freed[NR_FRAMES];
/* Serialises truncaters of a chunk. */
static pthread_mutex_t truncate_lock[NR_CHUNKS];

static bool stop;

/* Plain stores of lib/xarray.c under its lock, which readers see or not; flags of the helpers. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
	return "race_top:xas_delete_node\nrace_top:xas_shrink\nrace_top:xas_expand\n"
	       "race_top:kmem_cache_alloc_lru\nrace_top:urcu_common_wake_up_gp\n";
}

static struct {
	unsigned long io, absent, late, free, busy, waits, reaped, removed, handed, again;
} done;

/* -------- the kernel's part --------------------------------------------------- */

/* The nodes of xarrays, which lib/radix-tree.c would give. */
struct kmem_cache *radix_tree_node_cachep;

static void node_ctor(void *node)
{
	memset(node, 0, sizeof(struct xa_node));
	INIT_LIST_HEAD(&((struct xa_node *)node)->private_list);
}

void radix_tree_node_rcu_free(struct rcu_head *head)
{
	kmem_cache_free(radix_tree_node_cachep, container_of(head, struct xa_node, rcu_head));
}

#define NR_QUEUES	8

static struct {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	int waiters;
} queues[NR_QUEUES];

/* waitqueue_active(): no lock and no barrier of its own. */
void wake_up_var(void *var)
{
	unsigned int q = (unsigned long)var % NR_QUEUES;

	if (!__atomic_load_n(&queues[q].waiters, __ATOMIC_RELAXED))
		return;
	pthread_mutex_lock(&queues[q].lock);
	pthread_cond_broadcast(&queues[q].cond);
	pthread_mutex_unlock(&queues[q].lock);
}

static void wait_unpinned(unsigned long pfn)
{
	unsigned int q = (unsigned long)pageless_pin_var(pfn) % NR_QUEUES;
	struct timespec end;
	unsigned long first;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += 20;
	pthread_mutex_lock(&queues[q].lock);
	__atomic_fetch_add(&queues[q].waiters, 1, __ATOMIC_SEQ_CST);
	while (pageless_span_pinned(pfn, 1, &first))
		if (pthread_cond_timedwait(&queues[q].cond, &queues[q].lock, &end))
			die("a waiter was not woken");
	__atomic_fetch_sub(&queues[q].waiters, 1, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&queues[q].lock);
}

struct pageless_range *pageless_range_get(unsigned long pfn)
{
	struct pageless_range *range;

	rcu_read_lock();
	range = pageless_find(pfn);
	if (range && !percpu_ref_tryget_live_rcu(&range->ref))
		range = NULL;
	rcu_read_unlock();
	return range;
}

static void range_add(int i)
{
	struct pageless_range *range = calloc(1, sizeof(*range));

	range->start = layout[i].first;
	range->size = layout[i].nr;
	range->ref.count = REF_DEAD;
	pageless_pins_init(range);
	ranges[i] = range;
	if (xa_err(xa_store_range(&pageless_ranges, range->start, range->start + range->size - 1,
				  range, GFP_KERNEL)))
		die("xa_store_range");
	store(alive[i], true);
	/* As percpu_ref_reinit(): now, and for all frames at once. */
	store(range->ref.count, 1);
}

/* In the order of pageless_unregister(). */
static void range_remove(int i)
{
	struct pageless_range *range = ranges[i];

	__atomic_fetch_or(&range->ref.count, REF_DEAD, __ATOMIC_SEQ_CST);
	percpu_ref_put(&range->ref);
	synchronize_rcu();
	while (load(range->ref.count) != REF_DEAD)
		usleep(100);
	store(alive[i], false);
	xa_store_range(&pageless_ranges, range->start, range->start + range->size - 1,
		       NULL, GFP_KERNEL);
	pageless_pins_exit(range);
	synchronize_rcu();
	__tsan_acquire(&grace_period);
	free(range);
}

/* -------- threads ------------------------------------------------------------- */

struct pin {
	unsigned long pfn;
	unsigned int nr;
	bool whole;
};

static unsigned int rnd(unsigned int *seed, unsigned int n)
{
	*seed = *seed * 1103515245 + 12345;
	return (*seed >> 8) % n;
}

static int range_of(unsigned long pfn)
{
	int i;

	for (i = 0; i < NR_RANGES; i++)
		if (pfn - layout[i].first < layout[i].nr)
			return i;
	return -1;
}

/* A span of one chunk and one range. Half of all pins meet in very few frames. */
static struct pin choose(unsigned int *seed)
{
	unsigned long chunk, end;
	struct pin pin;
	int i;

	do {
		pin.pfn = rnd(seed, 2) ? FIRST + CHUNK + rnd(seed, 2) : FIRST + rnd(seed, NR_FRAMES);
		i = range_of(pin.pfn);
	} while (i < 0);
	chunk = pin.pfn / CHUNK;
	end = min((chunk + 1) * CHUNK, layout[i].first + layout[i].nr);
	pin.nr = 1 + rnd(seed, rnd(seed, 2) ? 2 : CHUNK);
	pin.nr = min((unsigned long)pin.nr, end - pin.pfn);
	pin.whole = rnd(seed, 3) == 0;
	return pin;
}

static bool still_mapped(const struct pin *pin)
{
	unsigned long i = pin->pfn - FIRST;
	unsigned int n;

	if (pin->whole)
		return load(huge[i / CHUNK].counter);
	for (n = 0; n < pin->nr; n++)
		if (!load(mapped[i + n].counter))
			return false;
	return true;
}

/* What a device does with the frames of a pin. */
static void do_io(const struct pin *pin)
{
	unsigned long i = pin->pfn - FIRST, n = pin->nr;
	int range = range_of(pin->pfn);

	if (pin->whole) {
		i = i / CHUNK * CHUNK;
		n = CHUNK;
	}
	if (!load(alive[range]))
		die("range %d is gone, with frame %lu pinned", range, pin->pfn);
	for (; n--; i++)
		if (load(freed[i]) && range_of(FIRST + i) == range)
			die("frame %lu is freed and pinned (%lu + %u%s)", FIRST + i, pin->pfn,
			    pin->nr, pin->whole ? ", whole" : "");
}

static void unpin(struct pin pin, unsigned int *seed)
{
	unsigned int n;

	while (!pin.whole && pin.nr > 1 && rnd(seed, 4) == 0) {
		n = 1 + rnd(seed, pin.nr - 1);
		pageless_unpin(pin.pfn, n, false);
		pin.pfn += n;
		pin.nr -= n;
	}
	pageless_unpin(pin.pfn, pin.nr, pin.whole);
}

/* A pin that whoever comes next takes back: completions come on other CPUs. */
static struct pin *in_flight;

static void hand_over(const struct pin *pin, unsigned int *seed)
{
	struct pin *mine = NULL, *old;

	if (pin) {
		mine = malloc(sizeof(*mine));
		*mine = *pin;
	}
	drain();
	old = __atomic_exchange_n(&in_flight, mine, __ATOMIC_ACQ_REL);
	if (!old)
		return;
	do_io(old);
	unpin(*old, seed);
	free(old);
	count(done.handed);
}

static void pin_once(unsigned int *seed)
{
	struct pin pin = choose(seed);
	int err, i;

	if (!still_mapped(&pin))
		return;
	err = pageless_pin(pin.pfn, pin.nr, pin.whole, rnd(seed, 4) ? 0 : GFP_KERNEL);
	if (err == -ENXIO && range_of(pin.pfn) == REMOVED)
		return;
	if (err == -ENOMEM) {
		count(done.absent);
		return;
	}
	if (err)
		die("pin of %lu + %u: %d", pin.pfn, pin.nr, err);
	if (!still_mapped(&pin)) {
		count(done.late);
		pageless_unpin(pin.pfn, pin.nr, pin.whole);
		return;
	}
	for (i = rnd(seed, 8); i >= 0; i--)
		do_io(&pin);
	if (!pin.whole && rnd(seed, 8) == 0) {
		pageless_pin_again(pin.pfn);
		unpin(pin, seed);
		pin.nr = 1;
		do_io(&pin);
		count(done.again);
	}
	count(done.io);
	if (rnd(seed, 8))
		unpin(pin, seed);
	else
		hand_over(&pin, seed);
	/* Let blocks fall idle. */
	if (rnd(seed, 1000) == 0)
		usleep(2000);
}

static void *pinner(void *data)
{
	unsigned int seed = (unsigned long)data;

	this_cpu = seed % CPUS;
	rcu_register_thread();
	while (!load(stop))
		pin_once(&seed);
	hand_over(NULL, &seed);
	rcu_unregister_thread();
	return NULL;
}

static void clear_span(atomic_t *flags, unsigned long i, unsigned long n)
{
	for (; n--; i++)
		atomic_set(&flags[i], 0);
}

static void set_span(atomic_t *flags, unsigned long i, unsigned long n)
{
	for (; n--; i++)
		store(flags[i].counter, 1);
}

static void free_span(unsigned long i, unsigned long n, bool value)
{
	for (; n--; i++)
		store(freed[i], value);
}

/* Any span, over ranges and the gaps between them. */
static void truncate_once(unsigned int *seed)
{
	unsigned long i, n, c, first_chunk, last_chunk, pinned;
	bool busy;

	if (rnd(seed, 2)) {
		i = CHUNK + rnd(seed, 2);
		n = 1;
	} else {
		i = rnd(seed, NR_FRAMES);
		n = 1 + rnd(seed, min(2 * CHUNK, NR_FRAMES - i));
	}
	first_chunk = i / CHUNK;
	last_chunk = (i + n - 1) / CHUNK;

	for (c = first_chunk; c <= last_chunk; c++)
		pthread_mutex_lock(&truncate_lock[c]);
	/* Nothing orders these but pageless_span_pinned(). */
	clear_span(huge, first_chunk, last_chunk - first_chunk + 1);
	clear_span(mapped, i, n);
	busy = pageless_span_pinned(FIRST + i, n, &pinned);
	if (busy && (pinned < FIRST + i || pinned >= FIRST + i + n))
		die("frame %lu is not in %lu + %lu", pinned, FIRST + i, n);
	if (busy && rnd(seed, 2)) {
		do {
			wait_unpinned(pinned);
		} while (pageless_span_pinned(FIRST + i, n, &pinned));
		count(done.waits);
		busy = false;
	}
	if (busy) {
		count(done.busy);
	} else {
		free_span(i, n, true);
		if (rnd(seed, 16) == 0)
			sched_yield();
		free_span(i, n, false);
		count(done.free);
	}
	set_span(mapped, i, n);
	set_span(huge, first_chunk, last_chunk - first_chunk + 1);
	for (c = first_chunk; c <= last_chunk; c++)
		pthread_mutex_unlock(&truncate_lock[c]);
}

static void *truncater(void *data)
{
	unsigned int seed = (unsigned long)data;

	rcu_register_thread();
	while (!load(stop))
		truncate_once(&seed);
	rcu_unregister_thread();
	return NULL;
}

static pthread_mutex_t range_lock = PTHREAD_MUTEX_INITIALIZER;

/* Runs what is queued, all the time, and counts as debugfs does. */
static void *reaper(void *data)
{
	size_t bytes;
	int i;

	rcu_register_thread();
	while (!load(stop)) {
		pthread_mutex_lock(&range_lock);
		for (i = 0; i < NR_RANGES; i++) {
			pageless_pins_count(ranges[i], &bytes);
			if (!delayed_work_pending(&ranges[i]->pins.reap))
				continue;
			flush_delayed_work(&ranges[i]->pins.reap);
			count(done.reaped);
		}
		pthread_mutex_unlock(&range_lock);
		usleep(300);
	}
	rcu_unregister_thread();
	return NULL;
}

static void *remover(void *data)
{
	rcu_register_thread();
	while (!load(stop)) {
		pthread_mutex_lock(&range_lock);
		range_remove(REMOVED);
		range_add(REMOVED);
		count(done.removed);
		pthread_mutex_unlock(&range_lock);
		usleep(5000);
	}
	rcu_unregister_thread();
	return NULL;
}

/* -------- main ---------------------------------------------------------------- */

static void expect_empty(void)
{
	unsigned long first;
	size_t bytes;
	int i;

	if (in_flight || pageless_span_pinned(0, FIRST + NR_FRAMES + CHUNK, &first))
		die("something is pinned");
	for (i = 0; i < NR_RANGES; i++) {
		flush_delayed_work(&ranges[i]->pins.reap);
		if (pageless_pins_count(ranges[i], &bytes) || bytes)
			die("range %d: %zu bytes are left", i, bytes);
		range_remove(i);
	}
	/* Call backs of the last grace periods. */
	for (i = 0; i < 10000 && uatomic_read(&nr_allocated); i++)
		usleep(1000);
	if (nr_allocated)
		die("%d objects leaked", nr_allocated);
}

int main(int argc, char **argv)
{
	static void *(*const threads[])(void *) = {
		pinner, pinner, pinner, truncater, truncater, reaper, remover,
	};
	pthread_t id[ARRAY_SIZE(threads)];
	unsigned long i, *number = (unsigned long *)&done;
	unsigned int seconds = argc > 1 ? atoi(argv[1]) : 10;

	alarm(seconds + 60);
	rcu_register_thread();
	radix_tree_node_cachep = kmem_cache_create("node", sizeof(struct xa_node),
						   __alignof__(struct xa_node), 0, node_ctor);
	for (i = 0; i < NR_QUEUES; i++) {
		pthread_mutex_init(&queues[i].lock, NULL);
		pthread_cond_init(&queues[i].cond, NULL);
	}
	for (i = 0; i < NR_CHUNKS; i++)
		pthread_mutex_init(&truncate_lock[i], NULL);
	set_span(mapped, 0, NR_FRAMES);
	set_span(huge, 0, NR_CHUNKS);
	for (i = 0; i < NR_RANGES; i++)
		range_add(i);

	for (i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_create(&id[i], NULL, threads[i], (void *)(i + 1));
	rcu_thread_offline();
	sleep(seconds);
	store(stop, true);
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(id[i], NULL);
	rcu_thread_online();
	expect_empty();

	printf("%lu pins held, %lu of them handed over, %lu doubled; %lu found no block, %lu came late; ",
	       done.io, done.handed, done.again, done.absent, done.late);
	printf("%lu spans free, %lu busy, %lu waited for; %lu reaps, %lu ranges removed\n",
	       done.free, done.busy, done.waits, done.reaped, done.removed);
	/* A part that did nothing tested nothing. */
	for (i = 0; i < sizeof(done) / sizeof(*number); i++)
		if (!number[i])
			die("the counter %lu is 0", i);
	rcu_unregister_thread();
	return 0;
}
